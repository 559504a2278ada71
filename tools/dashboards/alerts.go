package main

import (
	"fmt"
	"strings"
)

// record is a recording rule.
type record struct {
	name, expr string
}

// alert is an alerting rule. Its name is also that of a section of
// docs/runbooks.md.
type alert struct {
	name    string
	expr    string
	wait    string // how long the expression must hold; empty: not at all
	level   string // page: wake a person; ticket: look at it by day
	summary string
	detail  string // what it means
}

// started is the expression of counters that have increased within a time. The
// first value of a new series is no increase to Prometheus, and counters that
// are mostly 0 are not there before: so a series that was not there counts,
// too.
func started(counter, within string) string {
	return fmt.Sprintf("(increase(%[1]s[%[2]s]) > 0) or (%[1]s > 0 unless %[1]s offset %[2]s)", counter, within)
}

// records are the recording rules.
var records = []record{
	{
		"elasticjob:runs:increase15m",
		"sum by (job_name, result) (" + started("elasticjob_runs_total", "15m") + ")",
	},
	{
		"elasticjob:fires_missed:increase15m",
		"sum by (job_name, reason) (" + started("elasticjob_fires_missed_total", "15m") + ")",
	},
	{
		"elasticjob:run_lateness_seconds:p99",
		"histogram_quantile(0.99, sum by (le) (rate(elasticjob_run_lateness_seconds_bucket[10m])))",
	},
	{
		"elasticjob:store_request_duration_seconds:p99",
		"histogram_quantile(0.99, sum by (op, le) (rate(elasticjob_store_request_duration_seconds_bucket[5m])))",
	},
}

// alerts need the metrics of instances alone.
var alerts = []alert{
	{
		name: "JobFailing",
		expr: `sum by (job_name) (elasticjob:runs:increase15m{result=~"failed|lost"}) > 0 unless ` +
			`sum by (job_name) (elasticjob:runs:increase15m{result="ok"}) > 0`,
		level:   "page",
		summary: "Job {{ $labels.job_name }} fails",
		detail:  "Runs failed or were lost in the last 15 minutes, and none succeeded.",
	},
	{
		name:    "RunsAbandoned",
		expr:    `elasticjob:runs:increase15m{result="lost"} > 0`,
		level:   "ticket",
		summary: "Runs of {{ $labels.job_name }} were abandoned",
		detail:  "Their instances died, and they are not repeated: failover is off, or no attempt is left.",
	},
	{
		name: "TakeoversMany",
		expr: "sum(rate(elasticjob_takeovers_total[10m])) > 0.05 * sum(rate(elasticjob_runs_total[10m]))",
		wait: "10m", level: "ticket",
		summary: "Many runs are taken over",
		detail:  "More than 5 % of the runs begin again because their instances died.",
	},
	{
		name:    "FiresMissed",
		expr:    `elasticjob:fires_missed:increase15m{reason!="overlap"} > 0`,
		level:   "ticket",
		summary: "Fires of {{ $labels.job_name }} were missed ({{ $labels.reason }})",
		detail:  "They will not be run, as the misfire policy of the job says.",
	},
	{
		name: "LatenessHigh",
		expr: "elasticjob:run_lateness_seconds:p99 > 5",
		wait: "10m", level: "ticket",
		summary: "Runs begin late",
		detail:  "One of a hundred first attempts begins {{ $value | humanizeDuration }} late or later.",
	},
	{
		name: "HandlerStuck",
		expr: "elasticjob_stuck_handlers > 0",
		wait: "10m", level: "ticket",
		summary: "A handler on {{ $labels.instance }} does not return",
		detail:  "Its context has ended, and it goes on. Its shard does not run there until it returns.",
	},
	{
		name: "InstanceWithoutSession",
		expr: "elasticjob_up == 0",
		wait: "2m", level: "page",
		summary: "Instance {{ $labels.instance }} has no session",
		detail:  "It takes no part in the jobs. Others take its shards over.",
	},
	{
		name: "ClockOff",
		expr: "abs(elasticjob_clock_offset_seconds) > 2",
		wait: "5m", level: "ticket",
		summary: "The clock of {{ $labels.instance }} is wrong",
		detail:  "It differs from the median of the others by {{ $value }} s. At 5 s nothing begins there.",
	},
	{
		name: "StoreSlow",
		expr: `elasticjob:store_request_duration_seconds:p99{op!="watch"} > 0.5`,
		wait: "5m", level: "ticket",
		summary: "The store is slow ({{ $labels.op }})",
		detail:  "One of a hundred requests takes {{ $value | humanizeDuration }} or longer.",
	},
	{
		name: "StoreFailing",
		expr: `sum(rate(elasticjob_store_requests_total{outcome!~"ok|conflict|not_found|canceled|closed"}[5m])) > ` +
			`0.01 * sum(rate(elasticjob_store_requests_total[5m]))`,
		wait: "5m", level: "page",
		summary: "The store fails",
		detail:  "More than 1 % of the requests fail, conflicts not counted.",
	},
	{
		name: "WatchStale",
		expr: "elasticjob_watch_age_seconds > 90",
		wait: "5m", level: "ticket",
		summary: "Instance {{ $labels.instance }} sees an old state of {{ $labels.prefix }}",
		detail:  "Neither its watch nor a comparison with the store has confirmed it for {{ $value }} s.",
	},
	{
		name: "UnreadableKeys",
		expr: "max by (prefix) (elasticjob_unreadable_keys) > 0",
		wait: "1m", level: "ticket",
		summary: "Keys of {{ $labels.prefix }} can't be read",
		detail:  "Their jobs, shards or instances do nothing.",
	},
	{
		name: "HistoryBehind",
		expr: "elasticjob_history_lag_seconds > 300",
		wait: "10m", level: "ticket",
		summary: "The history of {{ $labels.instance }} is behind",
		detail:  "Its database is slow or does not answer. Runs are not affected.",
	},
	{
		name: "HistoryDropping",
		expr: "sum by (instance) (" + started("elasticjob_history_dropped_total", "10m") + ") > 0",
		wait: "10m", level: "ticket",
		summary: "The history of {{ $labels.instance }} loses rows",
		detail:  "Its database does not answer, and the buffer is full. Runs are not affected.",
	},
}

// fleetAlerts need the metrics of the server that shows the fleet.
var fleetAlerts = []alert{
	{
		name:    "JobOverdue",
		expr:    "elasticjob_fleet_job_overdue_seconds > 300",
		level:   "page",
		summary: "Job {{ $labels.job_name }} is overdue",
		detail:  "A fire should have begun {{ $value | humanizeDuration }} ago and has not.",
	},
	{
		name: "JobNoSuccess",
		expr: "(time() - max by (job_name) (elasticjob_last_success_timestamp_seconds)) > " +
			"on (job_name) max by (job_name) (elasticjob_fleet_success_deadline_seconds)",
		level:   "ticket",
		summary: "Job {{ $labels.job_name }} has not succeeded for long",
		detail:  "Its last success is {{ $value | humanizeDuration }} ago.",
	},
	{
		name: "NoInstances",
		expr: `sum(elasticjob_fleet_instances{state="up"}) == 0 and sum(elasticjob_fleet_jobs) > 0`,
		wait: "1m", level: "page",
		summary: "There is no instance",
		detail:  "There are jobs, and nothing runs them.",
	},
	{
		name: "JobUnowned",
		expr: "elasticjob_fleet_unowned_jobs > 0",
		wait: "5m", level: "page",
		summary: "{{ $value }} jobs have no instance",
		detail:  "No live instance may own their shards.",
	},
	{
		name: "OrphanedRuns",
		expr: "elasticjob_fleet_orphaned_runs > 0",
		wait: "2m", level: "page",
		summary: "{{ $value }} runs are orphaned",
		detail:  "Their instances are dead, and no other has taken them over.",
	},
	{
		name: "FleetUnseen",
		expr: "absent(elasticjob_fleet_jobs)",
		wait: "5m", level: "ticket",
		summary: "The metrics of the fleet are missing",
		detail:  "The server that exports them is down or not scraped. The other alerts of this file are blind.",
	},
}

// runbook is the page with a section for each alert.
const runbook = "https://github.com/elasticjob-go/elastic/blob/main/docs/runbooks.md"

// recordingRules returns the file of recording rules.
func recordingRules() string {
	var b strings.Builder
	b.WriteString(yamlHead("elasticjob"))
	for _, r := range records {
		fmt.Fprintf(&b, "  - record: %s\n    expr: %s\n", r.name, quoted(r.expr))
	}
	return b.String()
}

// alertRules returns a file of alerts.
func alertRules(group string, all []alert) string {
	var b strings.Builder
	b.WriteString(yamlHead(group))
	for _, a := range all {
		fmt.Fprintf(&b, "  - alert: %s\n    expr: %s\n", a.name, quoted(a.expr))
		if a.wait != "" {
			fmt.Fprintf(&b, "    for: %s\n", a.wait)
		}
		fmt.Fprintf(&b, "    labels: {severity: %s}\n    annotations:\n", a.level)
		fmt.Fprintf(&b, "      summary: %s\n      description: %s\n", quoted(a.summary), quoted(a.detail))
		fmt.Fprintf(&b, "      runbook_url: %s#%s\n", runbook, strings.ToLower(a.name))
	}
	return b.String()
}

func yamlHead(group string) string {
	return "# Written by: go run ./tools/dashboards\ngroups:\n- name: " + group + "\n  rules:\n"
}

// quoted returns text as YAML has it between single quotes.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
