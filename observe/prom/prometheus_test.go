package prom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/prom"
)

// tool returns the path of a program of Prometheus. Without it the test is
// skipped, unless ELASTIC_TEST_PROMETHEUS is set, as by make prometheus.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("ELASTIC_TEST_PROMETHEUS") != "":
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed: make prometheus installs it", name)
	return ""
}

// startPrometheus starts a server that scrapes a target each second and
// evaluates files of rules, and returns its address.
func startPrometheus(t *testing.T, target string, rules ...string) string {
	t.Helper()
	program, dir := tool(t, "prometheus"), t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
- {job_name: fleet, static_configs: [{targets: [%q]}]}
`, strings.Join(rules, ", "), target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program,
		"--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
	)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("prometheus:\n%s", out.String())
		}
	})
	return "http://" + address
}

// query returns the values of an expression, by the text of their labels.
func query(server, expression string) (map[string]string, error) {
	r, err := http.Get(server + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("query %s: %s", expression, answer.Error)
	}
	values := map[string]string{}
	for _, x := range answer.Data.Result {
		values[fmt.Sprint(x.Metric)] = fmt.Sprint(x.Value[1])
	}
	return values, nil
}

// A real Prometheus scrapes a scheduler that runs.
func TestPrometheus_ScrapesScheduler(t *testing.T) {
	c := prom.New(prom.Options{})
	handler := httptest.NewServer(c.Handler())
	defer handler.Close()
	server := startPrometheus(t, strings.TrimPrefix(handler.URL, "http://"))

	s, err := elastic.Open(t.Context(), "memory:///prometheus", elastic.WithExporter(c))
	if err != nil {
		t.Fatal(err)
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 2},
		elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			if run.Shard == 1 {
				return fmt.Errorf("out of paper")
			}
			return nil
		}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for _, expression := range []string{
		`up{job="fleet"} == 1`,
		`elasticjob_up == 1`,
		`increase(elasticjob_runs_total{job_name="report",result="ok"}[1m]) > 0`,
		`increase(elasticjob_runs_total{job_name="report",result="failed"}[1m]) > 0`,
		`histogram_quantile(0.99, sum by (le) (rate(elasticjob_run_lateness_seconds_bucket[1m]))) > 0`,
		`elasticjob_shards_owned{job_name="report"} == 2`,
		`elasticjob_watch_age_seconds{prefix="jobs"} >= 0`,
		`elasticjob_build_info{driver="memory"} == 1`,
	} {
		var last string
		deadline := time.Now().Add(time.Minute)
		for {
			values, err := query(server, expression)
			if err == nil && len(values) > 0 {
				break
			}
			last = fmt.Sprint(values, err)
			if time.Now().After(deadline) {
				t.Fatalf("a minute passed without %s: %s", expression, last)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}
