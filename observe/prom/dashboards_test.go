package prom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/prom"
)

// expressions returns the queries of the dashboards in docs/grafana, by their
// panels.
func expressions(t *testing.T, instance string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/grafana/*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("got the dashboards %q, error %v", files, err)
	}
	chosen := strings.NewReplacer(
		"$__rate_interval", "30s",
		"$job_name", "report",
		"$job", ".*",
		"$instance", instance,
	)
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ RefID, Expr string }
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatal(err)
		}
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				all[filepath.Base(file)+", "+p.Title+", "+q.RefID] = chosen.Replace(q.Expr)
			}
		}
	}
	return all
}

// quiet are queries without data in a fleet of one instance in which only what
// the test does goes wrong.
var quiet = []string{
	"fleet.json, Fires that were missed, A",
	"fleet.json, Take-overs and hand-overs, A",
	"fleet.json, Take-overs and hand-overs, B",
	"fleet.json, Take-overs and hand-overs, C",
	"fleet.json, History: behind by, A", // without a history
	"job.json, Fires that were missed, A",
	"job.json, Retries, panics, cancels, C",
	"instance.json, Clock, A", // there is no other
	"instance.json, What watching lost, D",
}

// Each query of the dashboards returns data from a real fleet, and the alert
// for a job that fails fires.
func TestPrometheus_DashboardsReturnData(t *testing.T) {
	c := prom.New(prom.Options{})
	handler := httptest.NewServer(c.Handler())
	defer handler.Close()
	instance := strings.TrimPrefix(handler.URL, "http://")
	rules, err := filepath.Abs("../../docs/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	server := startPrometheus(t, instance, rules+"/rules.yaml", rules+"/alerts.yaml")

	s, err := elastic.Open(t.Context(), "memory:///dashboards", elastic.WithExporter(c))
	if err != nil {
		t.Fatal(err)
	}
	fails := errors.New("out of paper")
	report := elastic.Job{
		Name:       "report",
		Schedule:   "* * * * * ?",
		Shards:     3,
		Retries:    1,
		RetryDelay: 10 * time.Millisecond,
	}
	s.MustAdd(report,
		elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			switch {
			case run.Shard == 1:
				return fails
			case run.Shard == 2 && run.Retry == 0:
				panic("oh")
			}
			return nil
		}))
	s.MustAdd(elastic.Job{Name: "broken", Schedule: "* * * * * ?", Shards: 1},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { return fails }))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	all := expressions(t, instance)
	all["the alert for a job that fails"] = `ALERTS{alertname="JobFailing", alertstate="firing", job_name="broken"}`
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var missing []string
		for panel, expr := range all {
			values, err := query(server, expr)
			if err != nil || len(values) == 0 && !slices.Contains(quiet, panel) {
				missing = append(missing, fmt.Sprintf("%s: %s (%v)", panel, expr, err))
			}
		}
		if len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("two minutes passed, and these return no data:\n%s", strings.Join(missing, "\n"))
		}
		time.Sleep(time.Second)
	}
	firing, err := query(server, `count by (alertname, job_name) (ALERTS{alertstate="firing"})`)
	if err != nil || len(firing) != 1 {
		t.Errorf("these alerts fire: %v (%v), want that of the broken job alone", firing, err)
	}
}
