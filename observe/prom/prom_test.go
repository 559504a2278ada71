package prom_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/metrics"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/prom"
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

// busy returns a collector of an instance with some jobs that have done
// everything that is counted.
func busy(t testing.TB, jobs int) *prom.Collector {
	t.Helper()
	stats := observe.Stats{
		At:         time.Now(),
		Driver:     "etcd",
		Limit:      4,
		ClockKnown: true,
		Health:     observe.Health{Held: true, Deadline: time.Now().Add(time.Minute)},
		History: &observe.HistoryStats{
			Written: map[string]uint64{"ok": 5, "failed": 1},
			Dropped: map[string]uint64{"ok": 2},
			Errors:  3,
			Lag:     time.Second,
		},
		LoopDelay: observe.Distribution{Counts: []uint64{8: 1}},
		Prefixes:  []observe.PrefixStats{{Name: "jobs", Watched: true}, {Name: "runs"}},
	}
	c := prom.New(prom.Options{})
	for i := range jobs {
		name := fmt.Sprintf("job-%d", i)
		stats.Jobs = append(stats.Jobs, observe.JobStats{Name: name, Owned: 1})
		for _, result := range []string{"ok", "failed", "skipped", "replaced", "cancelled"} {
			e := success
			e.Job, e.Result = name, result
			c.Observe(e)
		}
		for _, kind := range []observe.Kind{
			observe.Began, observe.TookOver, observe.HandedOver, observe.Reclaimed, observe.Retrying,
			observe.Panicked, observe.Abandoned,
		} {
			c.Observe(observe.Event{Time: noon, Kind: kind, Job: name, Due: noon})
		}
		c.Observe(observe.Event{Time: noon, Kind: observe.Missed, Job: name, Code: "missed_overlap"})
	}
	c.ObserveStore(store.Request{Driver: "etcd", Op: "commit", Outcome: "ok", Duration: time.Millisecond})
	if err := c.Attach(func() observe.Stats { return stats }); err != nil {
		t.Fatal(err)
	}
	return c
}

func gather(t testing.TB, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// Each metric of the table is exported, with its type and labels, and no other.
func TestCollector_ExportsTheTable(t *testing.T) {
	got := gather(t, busy(t, 2))
	for i := range metrics.Table {
		d := &metrics.Table[i]
		f := got[d.FullName()]
		if f == nil {
			t.Errorf("%s is not exported", d.FullName())
			continue
		}
		delete(got, d.FullName())
		if typ := strings.ToLower(f.GetType().String()); typ != d.Type.String() {
			t.Errorf("%s is a %s, want a %s", d.FullName(), typ, d.Type)
		}
		for _, m := range f.GetMetric() {
			labels := map[string]bool{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
			for _, l := range d.Labels {
				if !labels[l] || len(labels) != len(d.Labels) {
					t.Errorf("%s has the labels %v, want %v", d.FullName(), labels, d.Labels)
				}
			}
		}
	}
	for name := range got {
		t.Errorf("%s is not in the table", name)
	}
}

// The names follow the conventions of Prometheus.
func TestCollector_NamesFollowConventions(t *testing.T) {
	problems, err := testutil.CollectAndLint(busy(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A histogram has the sum, the number, and cumulative buckets.
func TestCollector_ExportsHistograms(t *testing.T) {
	c := prom.New(prom.Options{})
	for _, took := range []time.Duration{time.Millisecond, 20 * time.Second, 2 * time.Hour} {
		e := success
		e.Took = took
		c.Observe(e)
	}
	h := gather(t, c)["elasticjob_run_duration_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 3 || h.GetSampleSum() != 7220.001 {
		t.Errorf("%d values, sum %v; want 3 and 7220.001", h.GetSampleCount(), h.GetSampleSum())
	}
	for _, b := range h.GetBucket() {
		want := uint64(1)
		if b.GetUpperBound() >= 20 {
			want = 2
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("%d values up to %v, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
}

// 20,000 jobs make less than 9,000 lines.
func TestHandler_BoundsLines(t *testing.T) {
	answer := scrape(busy(t, 20_000).Handler())
	lines := 0
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "elasticjob_") {
			lines++
		}
	}
	if answer.Code != http.StatusOK || lines > 9000 || lines < 7000 {
		t.Errorf("status %d, %d lines; want 7,000 to 9,000", answer.Code, lines)
	}
}

func scrape(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w
}

// calling is a writer that uses the collector while it is written to.
type calling struct {
	*httptest.ResponseRecorder
	call func()
}

func (c calling) Write(b []byte) (int, error) {
	c.call()
	return c.ResponseRecorder.Write(b)
}

// No lock is held while a scrape is written: a client that reads slowly delays
// no event and no other scrape.
func TestHandler_WritesWithoutLock(t *testing.T) {
	c := busy(t, 100)
	h := c.Handler()
	calls := 0
	h.ServeHTTP(calling{httptest.NewRecorder(), func() {
		calls++
		c.Observe(observe.Event{Kind: observe.Ended, Job: "job-1", Result: "ok"})
		c.ObserveStore(store.Request{Driver: "etcd", Op: "get", Outcome: "ok"})
		if w := scrape(h); w.Code != http.StatusOK {
			t.Errorf("another scrape got %d", w.Code)
		}
	}}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if calls == 0 {
		t.Error("nothing was written")
	}
}

// promtool accepts what the handler serves.
func TestHandler_PassesPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: make prometheus installs it")
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = scrape(busy(t, 3).Handler()).Body
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The metrics of a scheduler that runs: the option wires everything.
func TestCollector_FollowsScheduler(t *testing.T) {
	c := prom.New(prom.Options{})
	s, err := elastic.Open(t.Context(), "memory:///prom", elastic.WithExporter(c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elastic.Open(t.Context(), "memory:///prom", elastic.WithExporter(c)); err == nil {
		t.Error("a second scheduler was given to the collector")
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "@manual", Shards: 3},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Trigger(ctx, "report"); err != nil {
		t.Fatal(err)
	}
	h := c.Handler()
	for _, want := range []string{
		`elasticjob_runs_total{job_name="report",result="ok"} 3`,
		`elasticjob_run_duration_seconds_count{job_name="report"} 3`,
		`elasticjob_run_lateness_seconds_count{job_name="report"} 3`,
		`elasticjob_shards_owned{job_name="report"} 3`,
		`elasticjob_up 1`,
		`elasticjob_instances{state="up"} 1`,
		`elasticjob_store_requests_total{driver="memory",op="commit",outcome="ok"}`,
		`go_goroutines`,
	} {
		eventually(t, want, func() bool { return strings.Contains(scrape(h).Body.String(), "\n"+want) })
	}
}

// eventually waits until a condition holds, for as long as the test may run.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("30 s passed without: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// An event about a known job allocates nothing.
func TestCollector_ObserveAllocatesNothing(t *testing.T) {
	c := prom.New(prom.Options{})
	if n := testing.AllocsPerRun(1000, func() { c.Observe(success) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	c := prom.New(prom.Options{})
	b.ReportAllocs()
	for b.Loop() {
		c.Observe(success)
	}
}

// A scrape of as many series as there can be.
func BenchmarkScrape(b *testing.B) {
	h := busy(b, 20_000).Handler()
	for b.Loop() {
		scrape(h)
	}
}
