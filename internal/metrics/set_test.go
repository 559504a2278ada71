package metrics

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// success is the end of a run.
var success = observe.Event{
	Time:   noon,
	Kind:   observe.Ended,
	Job:    "report",
	Result: "ok",
	Took:   time.Second,
}

// fleet returns the state of an instance that has jobs.
func fleet(at time.Time, names ...string) observe.Stats {
	s := observe.Stats{At: at, Driver: "memory", LoopDelay: observe.Distribution{Counts: make([]uint64, 9)}}
	for _, name := range names {
		s.Jobs = append(s.Jobs, observe.JobStats{Name: name, Owned: 2, Running: 1})
	}
	for _, p := range []string{"assignments", "instances", "jobs", "runs", "signals"} {
		s.Prefixes = append(s.Prefixes, observe.PrefixStats{Name: p, Watched: p != "runs"})
	}
	return s
}

// attached returns a Set whose scheduler has the state that stats points to.
func attached(t *testing.T, o Options, stats *observe.Stats) *Set {
	t.Helper()
	s := New(o)
	if err := s.Attach(func() observe.Stats { return *stats }); err != nil {
		t.Fatal(err)
	}
	return s
}

// values returns what Collect returns as text: "name{a,b}" to value. A
// histogram has its number of values.
func values(s *Set) map[string]float64 {
	all := map[string]float64{}
	for _, x := range s.Collect() {
		key := Table[x.ID].Name
		if len(x.Labels) > 0 {
			key += "{" + strings.Join(x.Labels, ",") + "}"
		}
		if _, twice := all[key]; twice {
			panic("twice: " + key)
		}
		all[key] = x.Value
		if x.Counts != nil {
			all[key] = float64(x.Counts.Total())
		}
	}
	return all
}

// series returns the number of series that a scrape shows.
func seriesOf(s *Set) (n int) {
	for _, x := range s.Collect() {
		n++
		if x.Counts != nil {
			n += len(x.Counts.Buckets) + 1
		}
	}
	return n
}

// Each event adds to what the table says.
func TestSet_CountsEvents(t *testing.T) {
	of := func(kind observe.Kind, change func(*observe.Event)) observe.Event {
		e := observe.Event{Time: noon, Kind: kind, Job: "report"}
		if change != nil {
			change(&e)
		}
		return e
	}
	result := func(r string) func(*observe.Event) {
		return func(e *observe.Event) { e.Result, e.Took = r, time.Second }
	}
	code := func(c string, n int) func(*observe.Event) {
		return func(e *observe.Event) { e.Code, e.Count = c, n }
	}
	stats := fleet(noon, "report")
	s := attached(t, Options{}, &stats)
	for _, e := range []observe.Event{
		of(observe.Began, func(e *observe.Event) { e.Due, e.Late = noon, time.Second }),
		of(observe.Began, nil), // of a job that follows others
		of(observe.TookOver, code("owner_dead", 0)),
		of(observe.TookOver, code("handed_over", 0)),
		of(observe.Ended, result("ok")),
		of(observe.Ended, result("ok")),
		of(observe.Ended, result("failed")),
		of(observe.Ended, result("skipped")),
		of(observe.Ended, result("replaced")),
		of(observe.Ended, result("cancelled")),
		of(observe.Abandoned, result("lost")),
		of(observe.HandedOver, nil),
		of(observe.Reclaimed, nil),
		of(observe.Retrying, nil),
		of(observe.Panicked, nil),
		of(observe.Missed, code("missed_too_late", 3)),
		of(observe.Missed, code("missed_overlap", 0)),
		of(observe.Missed, code("missed_superseded", 1)),
		of(observe.Missed, code("missed_job_changed", 1)),
		of(observe.Missed, code("missed_clock", 1)),
		of(observe.Assigned, nil),
		of(observe.SessionLost, nil),
		of(observe.Evicted, nil),
		of(observe.Gained, nil),
	} {
		s.Observe(e)
	}
	got := values(s)
	for key, want := range map[string]float64{
		"runs_total{report,ok}":                                  2,
		"runs_total{report,failed}":                              1,
		"runs_total{report,skipped}":                             1,
		"runs_total{report,replaced}":                            1,
		"runs_total{report,cancelled}":                           1,
		"runs_total{report,lost}":                                1,
		"runs_total{report,handed over}":                         1,
		"run_duration_seconds{report}":                           6,
		"run_lateness_seconds{report}":                           1,
		"takeovers_total{report}":                                1,
		"handovers_total{report}":                                1,
		"reclaims_total{report}":                                 1,
		"retries_total{report}":                                  1,
		"panics_total{report}":                                   1,
		"cancels_total{report}":                                  1,
		"fires_missed_total{report,too_late}":                    3,
		"fires_missed_total{report,overlap}":                     1,
		"fires_missed_total{report,superseded}":                  1,
		"fires_missed_total{report,job_changed}":                 1,
		"fires_missed_total{report,clock}":                       1,
		"last_success_timestamp_seconds{report}":                 float64(noon.Unix()),
		"last_end_timestamp_seconds{report}":                     float64(noon.Unix()),
		"shards_owned{report}":                                   2,
		"running{report}":                                        1,
		"assignments_written_total":                              1,
		"sessions_lost_total":                                    1,
		"evictions_total":                                        1,
		"build_info{" + version() + "," + goVersion + ",memory}": 1,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

// A job that has not failed has a counter of failures that is 0: an alert looks
// for an increase.
func TestSet_ShowsZeroBeforeFirstRun(t *testing.T) {
	stats := fleet(noon, "report")
	got := values(attached(t, Options{}, &stats))
	for _, result := range []string{"ok", "failed", "lost"} {
		if v, ok := got["runs_total{report,"+result+"}"]; !ok || v != 0 {
			t.Errorf("the counter of %s is %v, there: %v; want 0", result, v, ok)
		}
	}
	if _, ok := got["last_success_timestamp_seconds{report}"]; ok {
		t.Error("a job that never ran has a time of its last success")
	}
}

// 20,000 jobs that do everything stay below 9,000 series.
func TestSet_BoundsSeries(t *testing.T) {
	const jobs = 20_000
	names := make([]string, jobs)
	for i := range names {
		names[i] = fmt.Sprintf("job-%d", i)
	}
	stats := fleet(noon, names...)
	rows := map[string]uint64{}
	for i := range 30 {
		rows[fmt.Sprint("result", i)] = 1
	}
	stats.History = &observe.HistoryStats{Written: rows, Dropped: rows}
	s := attached(t, Options{}, &stats)
	everything(s, names)
	for i := range 30 {
		for k := range 30 {
			s.ObserveStore(store.Request{
				Driver:  "etcd",
				Op:      store.RequestOp(fmt.Sprint("op", i)),
				Outcome: store.Outcome(fmt.Sprint("outcome", k)),
			})
		}
	}
	if n := seriesOf(s); n > 9000 || n < 8000 {
		t.Errorf("%d series, want 8,000 to 9,000", n)
	}
	got := values(s)
	if n := got["metrics_jobs_folded"]; n != jobs-maxJobs {
		t.Errorf("%v jobs are folded, want %d", n, jobs-maxJobs)
	}
	total := 0.0
	for key, v := range got {
		if strings.HasPrefix(key, "runs_total{") && strings.HasSuffix(key, ",failed}") {
			total += v
		}
	}
	if total != jobs {
		t.Errorf("%v failed runs, want one of each job: none may be lost by folding", total)
	}
	owned := 0.0
	for key, v := range got {
		if strings.HasPrefix(key, "shards_owned{") {
			owned += v
		}
	}
	if owned != 2*jobs {
		t.Errorf("%v shards are owned, want %d", owned, 2*jobs)
	}
}

// everything makes each job do all that is counted.
func everything(s *Set, names []string) {
	for _, name := range names {
		for _, result := range []string{"ok", "failed", "skipped", "lost", "replaced", "cancelled"} {
			s.Observe(observe.Event{Time: noon, Kind: observe.Ended, Job: name, Result: result})
		}
		for _, code := range []string{"too_late", "superseded", "overlap", "job_changed", "clock"} {
			s.Observe(observe.Event{Time: noon, Kind: observe.Missed, Job: name, Code: "missed_" + code})
		}
		for _, kind := range []observe.Kind{
			observe.Began, observe.TookOver, observe.HandedOver, observe.Reclaimed, observe.Retrying, observe.Panicked,
		} {
			s.Observe(observe.Event{Time: noon, Kind: kind, Job: name, Due: noon})
		}
	}
}

// Jobs that the instance no longer has disappear after an hour, and others get
// their places.
func TestSet_ForgetsRemovedJobs(t *testing.T) {
	names := make([]string, maxJobs+1)
	for i := range names {
		names[i] = fmt.Sprintf("job-%d", i)
	}
	stats := fleet(noon, names...)
	s := attached(t, Options{}, &stats)
	everything(s, names)
	last := "runs_total{" + names[maxJobs] + ",ok}"
	if got := values(s); got["metrics_jobs_folded"] != 1 || got[last] != 0 {
		t.Fatalf("%v jobs are folded, want the last", got["metrics_jobs_folded"])
	}
	stats = fleet(noon.Add(59*time.Minute), names[100:]...)
	if got := values(s); got["runs_total{job-0,ok}"] != 1 {
		t.Error("a job disappeared within an hour")
	}
	stats = fleet(noon.Add(61*time.Minute), names[100:]...)
	got := values(s)
	if _, there := got["runs_total{job-0,ok}"]; there {
		t.Error("a removed job is there after an hour")
	}
	if _, there := got["runs_total{job-100,ok}"]; !there {
		t.Error("a job that is there disappeared")
	}
	if _, there := got[last]; !there || got["metrics_jobs_folded"] != 0 {
		t.Errorf("the last job has no place, %v are folded", got["metrics_jobs_folded"])
	}
	before := s.extras
	recount := 0
	for _, j := range s.labels {
		recount += j.extras()
	}
	if recount != before {
		t.Errorf("%d series beyond those of all jobs are noted, %d are there", before, recount)
	}
}

// Jobs can be grouped. A function that panics or blocks puts its jobs under
// Other, and is not waited for twice.
func TestSet_GroupsJobs(t *testing.T) {
	stats := fleet(noon, "a-1", "a-2", "b-1")
	group := func(name string) string { return name[:1] }
	got := values(attached(t, Options{Job: group}, &stats))
	if got["shards_owned{a}"] != 4 || got["shards_owned{b}"] != 2 {
		t.Errorf("got %v, want the jobs by their first letter", got)
	}
	got = values(attached(t, Options{Job: func(string) string { panic("oh") }}, &stats))
	if got["shards_owned{_other}"] != 6 {
		t.Errorf("got %v, want all under _other", got)
	}
	release := make(chan bool)
	defer close(release)
	var calls atomic.Int64
	blocks := func(string) string { calls.Add(1); <-release; return "x" }
	got = values(attached(t, Options{Job: blocks}, &stats))
	if got["shards_owned{_other}"] != 6 || calls.Load() != 1 {
		t.Errorf("got %v after %d calls, want all under _other after one", got, calls.Load())
	}
	got = values(attached(t, Options{Job: func(string) string { return strings.Repeat("é", 500) }}, &stats))
	for key := range got {
		if len(key) > 200 {
			t.Errorf("a label of %d bytes", len(key))
		}
	}
}

// An exporter is that of one scheduler.
func TestSet_RefusesSecondScheduler(t *testing.T) {
	stats := fleet(noon)
	if err := attached(t, Options{}, &stats).Attach(func() observe.Stats { return stats }); err == nil {
		t.Error("a second scheduler was accepted")
	}
}

// An event about a known job allocates nothing.
func TestSet_ObserveAllocatesNothing(t *testing.T) {
	s := New(Options{})
	events := []observe.Event{
		{Time: noon, Kind: observe.Began, Job: "report", Due: noon},
		success,
		{Time: noon, Kind: observe.Missed, Job: "report", Code: "missed_overlap"},
		{Time: noon, Kind: observe.Assigned, Job: "report"},
	}
	request := store.Request{Driver: "etcd", Op: store.RequestCommit, Outcome: store.OutcomeOK}
	all := func() {
		for _, e := range events {
			s.Observe(e)
		}
		s.ObserveStore(request)
	}
	all()
	if n := testing.AllocsPerRun(1000, all); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// The table has a name, a type and a sentence for each metric.
func TestTable_DescribesEachMetric(t *testing.T) {
	names := map[string]bool{}
	for id := range Table {
		d := &Table[id]
		switch {
		case d.Name == "" || names[d.Name]:
			t.Errorf("metric %d has no name, or that of another: %q", id, d.Name)
		case !strings.HasSuffix(d.Help, "."):
			t.Errorf("%s: %q is no sentence", d.Name, d.Help)
		case (d.Type == Counter) != strings.HasSuffix(d.Name, "_total"):
			t.Errorf("%s: a %s", d.Name, d.Type)
		case (d.Type == Histogram) != (len(d.Buckets) > 0):
			t.Errorf("%s: a %s with %d buckets", d.Name, d.Type, len(d.Buckets))
		case (d.Unit == "s") != strings.HasSuffix(d.Name, "_seconds"),
			(d.Unit == "By") != strings.HasSuffix(d.Name, "_bytes"):
			t.Errorf("%s has the unit %q", d.Name, d.Unit)
		}
		names[d.Name] = true
	}
}

func BenchmarkObserve(b *testing.B) {
	s := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(success)
	}
}
