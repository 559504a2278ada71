// Package metrics turns what a scheduler tells into counts with a bounded
// number of labels. Packages observe/prom and observe/otel export them; so both
// have the same names, labels and values.
package metrics

import (
	"fmt"
	"strings"
)

// Prefix begins the name of each metric.
const Prefix = "elasticjob_"

// Type is the type of a metric.
type Type uint8

// The types.
const (
	Counter Type = iota
	Gauge
	Histogram
)

func (t Type) String() string { return [...]string{"counter", "gauge", "histogram"}[t] }

// ID is the place of a metric in Table.
type ID int

// The metrics.
const (
	Runs ID = iota
	RunDuration
	RunLateness
	FiresMissed
	Takeovers
	Handovers
	Reclaims
	Retries
	Panics
	Cancels
	LastSuccess
	LastEnd
	ShardsOwned
	JobRunning
	RunningLimit
	Held
	Stuck
	Up
	SessionDeadline
	SessionsLost
	Evictions
	Instances
	AssignmentsWritten
	ClockOffset
	UnreadableKeys
	StoreRequests
	StoreDuration
	StoreUntold
	WatchAge
	LoopDelay
	EventsDropped
	HistoryWritten
	HistoryDropped
	HistoryErrors
	HistoryBuffer
	HistorySpool
	HistoryLag
	JobsFolded
	BuildInfo
	idCount
)

// Desc describes a metric.
type Desc struct {
	Name    string // without Prefix, and with the suffix of its unit
	Type    Type
	Unit    string // as OpenTelemetry writes it: "s"; empty for counts
	Labels  []string
	Buckets []float64 // upper bounds, of histograms
	Help    string    // one sentence
}

// FullName returns the name as Prometheus has it.
func (d *Desc) FullName() string { return Prefix + d.Name }

// Table describes each metric, by its ID.
var Table = [idCount]Desc{
	Runs: {
		Name: "runs_total", Labels: []string{"job_name", "result"},
		Help: "Runs of shards that ended, by result: ok, failed, skipped, lost, cancelled, replaced, handed over.",
	},
	RunDuration: {
		Name: "run_duration_seconds", Type: Histogram, Unit: "s", Labels: []string{"job_name"},
		Buckets: []float64{.005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600},
		Help:    "How long runs took.",
	},
	RunLateness: {
		Name: "run_lateness_seconds", Type: Histogram, Unit: "s", Labels: []string{"job_name"},
		Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 60, 300, 900, 3600},
		Help:    "By how much later than due first attempts began.",
	},
	FiresMissed: {
		Name: "fires_missed_total", Labels: []string{"job_name", "reason"},
		Help: "Fires that are not run, by reason: too_late, superseded, overlap, job_changed, clock.",
	},
	Takeovers: {
		Name: "takeovers_total", Labels: []string{"job_name"},
		Help: "Runs of lost instances that began again here. Runs that were handed over do not count.",
	},
	Handovers: {
		Name: "handovers_total", Labels: []string{"job_name"},
		Help: "Runs that were left unfinished for the shard's next owner.",
	},
	Reclaims: {
		Name: "reclaims_total", Labels: []string{"job_name"},
		Help: "Runs that went on without a session and were claimed again.",
	},
	Retries: {
		Name: "retries_total", Labels: []string{"job_name"},
		Help: "Handlers that were called again within an attempt.",
	},
	Panics: {
		Name: "panics_total", Labels: []string{"job_name"},
		Help: "Panics of handlers.",
	},
	Cancels: {
		Name: "cancels_total", Labels: []string{"job_name"},
		Help: "Runs that an operator cancelled.",
	},
	LastSuccess: {
		Name: "last_success_timestamp_seconds", Type: Gauge, Unit: "s", Labels: []string{"job_name"},
		Help: "When a run last succeeded here, in seconds since 1970.",
	},
	LastEnd: {
		Name: "last_end_timestamp_seconds", Type: Gauge, Unit: "s", Labels: []string{"job_name"},
		Help: "When a run last ended here, in seconds since 1970.",
	},
	ShardsOwned: {
		Name: "shards_owned", Type: Gauge, Labels: []string{"job_name"},
		Help: "Shards that this instance owns.",
	},
	JobRunning: {
		Name: "running", Type: Gauge, Labels: []string{"job_name"},
		Help: "Runs of this instance, from claim to recorded end.",
	},
	RunningLimit: {
		Name: "running_limit", Type: Gauge,
		Help: "The most runs at a time that this instance may have; 0 is no limit.",
	},
	Held: {
		Name: "held", Type: Gauge,
		Help: "Shards whose run waits for a place below a limit.",
	},
	Stuck: {
		Name: "stuck_handlers", Type: Gauge,
		Help: "Handlers that go on though their context ended ten seconds ago.",
	},
	Up: {
		Name: "up", Type: Gauge,
		Help: "1 while the instance holds a session, else 0.",
	},
	SessionDeadline: {
		Name: "session_deadline_seconds", Type: Gauge, Unit: "s",
		Help: "How long the session is surely alive without another renewal.",
	},
	SessionsLost: {
		Name: "sessions_lost_total",
		Help: "Sessions that the instance lost.",
	},
	Evictions: {
		Name: "evictions_total",
		Help: "Instances that this one declared dead.",
	},
	Instances: {
		Name: "instances", Type: Gauge, Labels: []string{"state"},
		Help: "Live instances that this one sees, by state: up, draining, clockOff, unreadable.",
	},
	AssignmentsWritten: {
		Name: "assignments_written_total",
		Help: "Assignments that this instance wrote as the leader of a job.",
	},
	ClockOffset: {
		Name: "clock_offset_seconds", Type: Gauge, Unit: "s",
		Help: "By how much this clock is ahead of the median of the others; absent if there are none.",
	},
	UnreadableKeys: {
		Name: "unreadable_keys", Type: Gauge, Labels: []string{"prefix"},
		Help: "Keys of the store that this instance needs and can't read.",
	},
	StoreRequests: {
		Name: "store_requests_total", Labels: []string{"driver", "op", "outcome"},
		Help: "Requests to the store, by the class of their outcome.",
	},
	StoreDuration: {
		Name: "store_request_duration_seconds", Type: Histogram, Unit: "s", Labels: []string{"driver", "op"},
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		Help:    "How long requests to the store took.",
	},
	StoreUntold: {
		Name: "store_requests_untold_total",
		Help: "Requests to the store that are not counted, as they came too fast.",
	},
	WatchAge: {
		Name: "watch_age_seconds", Type: Gauge, Unit: "s", Labels: []string{"prefix"},
		Help: "How old the state may be that a watch has shown.",
	},
	LoopDelay: {
		Name: "loop_delay_seconds", Type: Histogram, Unit: "s",
		Buckets: []float64{.0001, .001, .005, .025, .1, .5, 2.5, 10},
		Help:    "How long what was given to the scheduler's loop waited: the longest of each turn.",
	},
	EventsDropped: {
		Name: "events_dropped_total",
		Help: "Events that observers missed because they were slow.",
	},
	HistoryWritten: {
		Name: "history_written_total", Labels: []string{"result"},
		Help: "Rows of the history that the sink took, by the result of the run, or missed, event, gap, audit, log.",
	},
	HistoryDropped: {
		Name: "history_dropped_total", Labels: []string{"result"},
		Help: "Rows of the history that are lost, by the result of the run, or missed, event, gap, audit, log.",
	},
	HistoryErrors: {
		Name: "history_errors_total",
		Help: "Calls of the history's sink that failed.",
	},
	HistoryBuffer: {
		Name: "history_buffer_rows", Type: Gauge,
		Help: "Rows of the history that wait in memory.",
	},
	HistorySpool: {
		Name: "history_spool_bytes", Type: Gauge, Unit: "By",
		Help: "Size of the history's spool.",
	},
	HistoryLag: {
		Name: "history_lag_seconds", Type: Gauge, Unit: "s",
		Help: "The age of the oldest row of the history that waits.",
	},
	JobsFolded: {
		Name: "metrics_jobs_folded", Type: Gauge,
		Help: "Jobs that share the label _other because there are too many.",
	},
	BuildInfo: {
		Name: "build_info", Type: Gauge, Labels: []string{"version", "go", "driver"},
		Help: "1, with the version of this module, of Go, and the driver of the store.",
	},
}

// Markdown returns a table of metrics for the documentation.
func Markdown(all []Desc) string {
	var b strings.Builder
	b.WriteString("| name | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for i := range all {
		d := &all[i]
		labels := ""
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.FullName(), d.Type, labels, d.Help)
	}
	return b.String()
}
