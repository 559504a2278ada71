package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/metrics"
)

// promtool returns the path of Prometheus's tool. Without it the test is
// skipped, unless ELASTIC_TEST_PROMETHEUS is set, as by make prometheus.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	switch {
	case err == nil:
		return path
	case os.Getenv("ELASTIC_TEST_PROMETHEUS") != "":
		t.Fatal("promtool is not installed")
	}
	t.Skip("promtool is not installed: make prometheus installs it")
	return ""
}

// fault is a state of a fleet for half an hour, by its series, and the alerts
// that fire at its end.
type fault struct {
	name   string
	series map[string]string
	fires  []string
}

// ok is the series of a fleet in which all is well.
var ok = map[string]string{
	`elasticjob_up{instance="a"}`:                                                          `1x40`,
	`elasticjob_runs_total{instance="a",job_name="report",result="ok"}`:                    `0+60x40`,
	`elasticjob_runs_total{instance="a",job_name="report",result="failed"}`:                `0x40`,
	`elasticjob_runs_total{instance="a",job_name="report",result="lost"}`:                  `0x40`,
	`elasticjob_run_lateness_seconds_bucket{instance="a",job_name="report",le="1"}`:        `0+60x40`,
	`elasticjob_run_lateness_seconds_bucket{instance="a",job_name="report",le="10"}`:       `0+60x40`,
	`elasticjob_run_lateness_seconds_bucket{instance="a",job_name="report",le="+Inf"}`:     `0+60x40`,
	`elasticjob_stuck_handlers{instance="a"}`:                                              `0x40`,
	`elasticjob_clock_offset_seconds{instance="a"}`:                                        `0.1x40`,
	`elasticjob_store_requests_total{instance="a",driver="etcd",op="commit",outcome="ok"}`: `0+600x40`,
	`elasticjob_store_request_duration_seconds_bucket{instance="a",op="commit",le="0.1"}`:  `0+600x40`,
	`elasticjob_store_request_duration_seconds_bucket{instance="a",op="commit",le="1"}`:    `0+600x40`,
	`elasticjob_store_request_duration_seconds_bucket{instance="a",op="commit",le="+Inf"}`: `0+600x40`,
	`elasticjob_watch_age_seconds{instance="a",prefix="jobs"}`:                             `60x40`,
	`elasticjob_unreadable_keys{instance="a",prefix="jobs"}`:                               `0x40`,
	`elasticjob_history_lag_seconds{instance="a"}`:                                         `1x40`,
	`elasticjob_history_dropped_total{instance="a",result="ok"}`:                           `0x40`,
	`elasticjob_last_success_timestamp_seconds{instance="a",job_name="report"}`:            `0+60x40`,
	`elasticjob_fleet_jobs{state="active"}`:                                                `1x40`,
	`elasticjob_fleet_instances{state="up"}`:                                               `1x40`,
	`elasticjob_fleet_success_deadline_seconds{job_name="report"}`:                         `300x40`,
	`elasticjob_fleet_unowned_jobs`:                                                        `0x40`,
	`elasticjob_fleet_orphaned_runs`:                                                       `0x40`,
}

const (
	runs     = `elasticjob_runs_total{instance="a",job_name="report",result=`
	latency  = `elasticjob_store_request_duration_seconds_bucket{instance="a",op="commit",le=`
	late     = `elasticjob_run_lateness_seconds_bucket{instance="a",job_name="report",le=`
	requests = `elasticjob_store_requests_total{instance="a",driver="etcd",op="commit",outcome=`
)

// faults change some series of ok. Those with "-" are not there.
var faults = []fault{
	{name: "all is well"},
	{
		name:   "a job fails at each fire",
		series: map[string]string{runs + `"failed"}`: `0+1x40`, runs + `"ok"}`: `0x40`},
		fires:  []string{"JobFailing"},
	},
	{
		name:   "a job fails now and then",
		series: map[string]string{runs + `"failed"}`: `0+1x40`},
	},
	{
		name:   "runs are abandoned",
		series: map[string]string{runs + `"lost"}`: `0x25 1x15`},
		fires:  []string{"RunsAbandoned"},
	},
	{
		name:   "many runs are taken over",
		series: map[string]string{`elasticjob_takeovers_total{instance="a",job_name="report"}`: `0+6x40`},
		fires:  []string{"TakeoversMany"},
	},
	{
		name:   "a run is taken over",
		series: map[string]string{`elasticjob_takeovers_total{instance="a",job_name="report"}`: `0x25 1x15`},
	},
	{
		name: "fires are missed, by a series that was not there",
		series: map[string]string{
			`elasticjob_fires_missed_total{instance="a",job_name="report",reason="too_late"}`: `_x25 3x15`,
		},
		fires: []string{"FiresMissed"},
	},
	{
		name: "fires were missed long ago",
		series: map[string]string{
			`elasticjob_fires_missed_total{instance="a",job_name="report",reason="too_late"}`: `_x5 3x35`,
		},
	},
	{
		name: "fires are skipped by the overlap policy",
		series: map[string]string{
			`elasticjob_fires_missed_total{instance="a",job_name="report",reason="overlap"}`: `0+1x40`,
		},
	},
	{
		name:   "runs begin late",
		series: map[string]string{late + `"1"}`: `0x40`},
		fires:  []string{"LatenessHigh"},
	},
	{
		name:   "a handler is stuck",
		series: map[string]string{`elasticjob_stuck_handlers{instance="a"}`: `0x10 1x30`},
		fires:  []string{"HandlerStuck"},
	},
	{
		name:   "an instance has no session",
		series: map[string]string{`elasticjob_up{instance="a"}`: `1x20 0x20`},
		fires:  []string{"InstanceWithoutSession"},
	},
	{
		name:   "an instance had no session for a minute",
		series: map[string]string{`elasticjob_up{instance="a"}`: `1x20 0 1x20`},
	},
	{
		name:   "a clock is behind",
		series: map[string]string{`elasticjob_clock_offset_seconds{instance="a"}`: `-3x40`},
		fires:  []string{"ClockOff"},
	},
	{
		name:   "the store is slow",
		series: map[string]string{latency + `"0.1"}`: `0x40`},
		fires:  []string{"StoreSlow"},
	},
	{
		name:   "the store fails",
		series: map[string]string{requests + `"unavailable"}`: `0+60x40`},
		fires:  []string{"StoreFailing"},
	},
	{
		name:   "many conflicts",
		series: map[string]string{requests + `"conflict"}`: `0+600x40`},
	},
	{
		name:   "a watch shows nothing new",
		series: map[string]string{`elasticjob_watch_age_seconds{instance="a",prefix="jobs"}`: `0+60x40`},
		fires:  []string{"WatchStale"},
	},
	{
		name:   "a key can't be read",
		series: map[string]string{`elasticjob_unreadable_keys{instance="a",prefix="jobs"}`: `1x40`},
		fires:  []string{"UnreadableKeys"},
	},
	{
		name:   "the history is behind",
		series: map[string]string{`elasticjob_history_lag_seconds{instance="a"}`: `0+60x40`},
		fires:  []string{"HistoryBehind"},
	},
	{
		name:   "the history loses rows",
		series: map[string]string{`elasticjob_history_dropped_total{instance="a",result="ok"}`: `0+5x40`},
		fires:  []string{"HistoryDropping"},
	},
	{
		name:   "a job is overdue",
		series: map[string]string{`elasticjob_fleet_job_overdue_seconds{job_name="report"}`: `_x20 301x20`},
		fires:  []string{"JobOverdue"},
	},
	{
		name: "a job does not succeed",
		series: map[string]string{
			`elasticjob_last_success_timestamp_seconds{instance="a",job_name="report"}`: `60x40`,
		},
		fires: []string{"JobNoSuccess"},
	},
	{
		name:   "there is no instance",
		series: map[string]string{`elasticjob_fleet_instances{state="up"}`: `1x20 0x20`},
		fires:  []string{"NoInstances"},
	},
	{
		name:   "a job has no instance",
		series: map[string]string{`elasticjob_fleet_unowned_jobs`: `1x40`},
		fires:  []string{"JobUnowned"},
	},
	{
		name:   "runs are orphaned",
		series: map[string]string{`elasticjob_fleet_orphaned_runs`: `2x40`},
		fires:  []string{"OrphanedRuns"},
	},
	{
		name:   "the server of the fleet is down",
		series: map[string]string{`elasticjob_fleet_jobs{state="active"}`: "-"},
		fires:  []string{"FleetUnseen"},
	},
}

// Each fault fires exactly the alerts of the table, and each alert is fired by
// one.
func TestAlerts_FireOnTheirFaults(t *testing.T) {
	tool := promtool(t)
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	type sample struct {
		Labels string `json:"labels"`
		Value  int    `json:"value"`
	}
	type query struct {
		Expr    string   `json:"expr"`
		Time    string   `json:"eval_time"`
		Samples []sample `json:"exp_samples"`
	}
	type test struct {
		Name     string   `json:"name"`
		Interval string   `json:"interval"`
		Series   []series `json:"input_series"`
		Queries  []query  `json:"promql_expr_test"`
	}
	type file struct {
		Rules    []string `json:"rule_files"`
		Interval string   `json:"evaluation_interval"`
		Tests    []test   `json:"tests"`
	}
	rules, err := filepath.Abs("../../docs/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	f := file{Rules: []string{rules + "/*.yaml"}, Interval: "1m"}
	fired := map[string]bool{}
	for _, fault := range faults {
		x := test{Name: fault.name, Interval: "1m"}
		for name, values := range ok {
			if other, changed := fault.series[name]; changed {
				values = other
			}
			if values != "-" {
				x.Series = append(x.Series, series{name, values})
			}
		}
		for name, values := range fault.series {
			if _, there := ok[name]; !there {
				x.Series = append(x.Series, series{name, values})
			}
		}
		q := query{Expr: `count by (alertname) (ALERTS{alertstate="firing"})`, Time: "30m", Samples: []sample{}}
		for _, name := range fault.fires {
			fired[name] = true
			q.Samples = append(q.Samples, sample{`{alertname="` + name + `"}`, 1})
		}
		x.Queries = []query{q}
		f.Tests = append(f.Tests, x)
	}
	for _, a := range slices.Concat(alerts, fleetAlerts) {
		if !fired[a.name] {
			t.Errorf("no fault of the table fires %s", a.name)
		}
	}
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test.yaml") // JSON is YAML
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// promtool accepts the rules.
func TestRules_PassPromtool(t *testing.T) {
	files, err := filepath.Glob("../../docs/prometheus/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("got the files %q, error %v", files, err)
	}
	cmd := exec.Command(promtool(t), append([]string{"check", "rules"}, files...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// queries returns the expressions of all dashboards.
func queries() (all []string) {
	for _, b := range []board{fleetBoard(), jobBoard(), instanceBoard()} {
		for _, p := range b.Panels {
			for _, t := range p.Targets {
				all = append(all, t.Expr)
			}
		}
	}
	return all
}

// chosen replaces the variables of dashboards.
var chosen = strings.NewReplacer(
	"$__rate_interval", "5m",
	"$job_name", "report",
	"$job", ".*",
	"$instance", "a",
)

// promtool accepts the expressions of the dashboards.
func TestDashboards_ExpressionsPassPromtool(t *testing.T) {
	tool := promtool(t)
	var b strings.Builder
	b.WriteString(yamlHead("dashboards"))
	for _, expr := range queries() {
		expr = chosen.Replace(expr)
		b.WriteString("  - record: x:y\n    expr: " + quoted(expr) + "\n    labels: {n: '" + quoted(expr)[1:9] + "'}\n")
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", "--lint=none", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Rules and dashboards name only metrics that there are.
func TestExpressions_NameMetricsOfTheTable(t *testing.T) {
	known := map[string]bool{}
	for _, d := range slices.Concat(metrics.Table[:], metrics.Fleet) {
		known[d.FullName()] = true
		if d.Type == metrics.Histogram {
			known[d.FullName()+"_bucket"] = true
		}
	}
	recorded := map[string]bool{}
	all := queries()
	for _, r := range records {
		recorded[r.name] = true
		all = append(all, r.expr)
	}
	for _, a := range slices.Concat(alerts, fleetAlerts) {
		all = append(all, a.expr)
	}
	used := map[string]bool{}
	for _, expr := range all {
		for _, name := range regexp.MustCompile(`elasticjob[:_][a-z0-9_:]+`).FindAllString(expr, -1) {
			used[name] = true
			if !known[name] && !recorded[name] {
				t.Errorf("%s is no metric: %s", name, expr)
			}
		}
	}
	if len(used) < 30 {
		t.Errorf("%d metrics are used", len(used))
	}
}

// Each alert has a section in the runbooks, with three commands.
func TestRunbooks_HaveASectionForEachAlert(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range slices.Concat(alerts, fleetAlerts) {
		_, section, found := strings.Cut(string(text), "\n## "+a.name+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found {
			t.Errorf("docs/runbooks.md has no section %s", a.name)
			continue
		}
		if n := len(regexp.MustCompile(`(?m)^\d\. `).FindAllString(section, -1)); n != 3 {
			t.Errorf("%s has %d steps, want 3", a.name, n)
		}
		if !strings.Contains(section, "Goes away") || !strings.Contains(section, "Escalate") {
			t.Errorf("%s does not say when it goes away, or when to escalate", a.name)
		}
	}
}
