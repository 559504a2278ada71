package otel_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/otel"
	"github.com/elasticjob-go/elastic/observe/prom"
	"github.com/elasticjob-go/elastic/store"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// bridge returns Metrics whose values a registry of Prometheus shows.
func bridge(t *testing.T) (*otel.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(
		exporter.WithRegisterer(registry),
		exporter.WithoutScopeInfo(),
		exporter.WithoutTargetInfo(),
	)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	t.Cleanup(func() {
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	m, err := otel.NewMetrics(provider, otel.MetricsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

// lines returns what a registry shows, by name and labels.
func lines(t *testing.T, from prometheus.Gatherer) map[string]string {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += fmt.Sprintf(",%s=%s", l.GetName(), l.GetValue())
			}
			all[key] = strings.ToLower(f.GetType().String()) + " " + valueOf(m)
		}
	}
	return all
}

func valueOf(m *dto.Metric) string {
	switch {
	case m.Counter != nil:
		return fmt.Sprint(m.Counter.GetValue())
	case m.Gauge != nil:
		return fmt.Sprint(m.Gauge.GetValue())
	}
	h := m.GetHistogram()
	text := fmt.Sprintf("%d of sum %.6f:", h.GetSampleCount(), h.GetSampleSum())
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) {
			text += fmt.Sprintf(" %v=%d", b.GetUpperBound(), b.GetCumulativeCount())
		}
	}
	return text
}

// record tells exporters all that there is to tell.
func record(t *testing.T, exporters ...elastic.Exporter) {
	t.Helper()
	stats := observe.Stats{
		At:         noon,
		Driver:     "etcd",
		Limit:      4,
		Held:       2,
		Stuck:      1,
		ClockKnown: true,
		Instances:  observe.Instances{Up: 3, Draining: 1},
		Jobs:       []observe.JobStats{{Name: "report", Owned: 2, Running: 1}, {Name: "mails", Owned: 1}},
		Prefixes:   []observe.PrefixStats{{Name: "jobs", Watched: true, Age: time.Minute, Unreadable: 1}},
		LoopDelay: observe.Distribution{
			Counts: []uint64{5, 3, 0, 0, 0, 0, 0, 0, 1},
			Sums:   []time.Duration{5: 0, 0: 200 * time.Microsecond, 1: time.Millisecond, 8: time.Minute},
		},
		EventsDropped: 7,
		History: &observe.HistoryStats{
			Written: map[string]uint64{"ok": 5, "failed": 1},
			Dropped: map[string]uint64{"ok": 2},
			Errors:  3,
			Lag:     time.Second,
		},
	}
	for _, x := range exporters {
		if err := x.Attach(func() observe.Stats { return stats }); err != nil {
			t.Fatal(err)
		}
		for i, kind := range []observe.Kind{
			observe.Began, observe.TookOver, observe.Ended, observe.Ended, observe.Abandoned, observe.HandedOver,
			observe.Reclaimed, observe.Retrying, observe.Panicked, observe.Missed, observe.SessionLost,
			observe.Evicted, observe.Assigned,
		} {
			x.Observe(observe.Event{
				Time:   noon,
				Kind:   kind,
				Job:    "report",
				Due:    noon,
				Late:   3 * time.Millisecond,
				Took:   time.Duration(i) * time.Second,
				Result: []string{"ok", "failed"}[i%2],
				Code:   "missed_overlap",
				Count:  2,
			})
		}
		for _, took := range []time.Duration{time.Millisecond, time.Second} {
			x.ObserveStore(store.Request{Driver: "etcd", Op: "commit", Outcome: "ok", Duration: took})
		}
	}
}

// The names, types, labels and values are those of package prom.
func TestMetrics_EqualThoseOfPrometheus(t *testing.T) {
	m, translated := bridge(t)
	c := prom.New(prom.Options{})
	own := prometheus.NewRegistry()
	own.MustRegister(c)
	record(t, m, c)
	for pass := range 2 { // the second must not record again what the first has
		got, want := lines(t, translated), lines(t, own)
		if len(want) < 40 {
			t.Fatalf("got %d lines", len(want))
		}
		for key, v := range want {
			if got[key] != v {
				t.Errorf("pass %d: %s is\n%s, want\n%s", pass, key, got[key], v)
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				t.Errorf("pass %d: %s is not exported by package prom", pass, key)
			}
		}
	}
}

// The metrics of a scheduler that runs.
func TestMetrics_FollowScheduler(t *testing.T) {
	m, registry := bridge(t)
	s, err := elastic.Open(t.Context(), "memory:///otel", elastic.WithExporter(m))
	if err != nil {
		t.Fatal(err)
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "@manual", Shards: 3},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if _, err := s.Trigger(ctx, "report"); err != nil {
		t.Fatal(err)
	}
	want := "elasticjob_runs_total,job_name=report,result=ok"
	deadline := time.Now().Add(30 * time.Second)
	for lines(t, registry)[want] != "counter 3" {
		if time.Now().After(deadline) {
			t.Fatalf("30 s passed without %s: %v", want, lines(t, registry))
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// A provider that is not there is refused.
func TestNewMetrics_RefusesNil(t *testing.T) {
	if _, err := otel.NewMetrics(nil, otel.MetricsOptions{}); err == nil {
		t.Error("a nil provider was accepted")
	}
	var provider metric.MeterProvider = noop.NewMeterProvider()
	if _, err := otel.NewMetrics(provider, otel.MetricsOptions{}); err != nil {
		t.Error(err)
	}
}
