package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/observe/prom"
	"github.com/elasticjob-go/elastic/store"
)

// watched is a fleet of two instances on an etcd, with a Prometheus that
// scrapes them and evaluates the alerts of docs/prometheus, 30 times as fast.
type watched struct {
	t      *testing.T
	etcd   *testservers.Etcd
	server string // the address of Prometheus
	a, b   *elastic.Scheduler

	fails   atomic.Bool  // the job "report" fails
	ahead   atomic.Int64 // of the clock of b
	release atomic.Pointer[chan bool]
}

// faster replaces the durations of a file of rules: a minute becomes two
// seconds.
func faster(t *testing.T, name, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs/prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(\[|offset |for: )(\d+)m`).ReplaceAllFunc(text, func(m []byte) []byte {
		parts := regexp.MustCompile(`^(\D+)(\d+)m$`).FindSubmatch(m)
		minutes, _ := strconv.Atoi(string(parts[2]))
		return fmt.Appendf(nil, "%s%ds", parts[1], 2*minutes)
	})
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// prometheus starts a server that scrapes the targets each second.
func (w *watched) prometheus(targets ...string) {
	w.t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		w.t.Fatal("prometheus is not installed: make prometheus installs it")
	}
	dir := w.t.TempDir()
	config := map[string]any{ // JSON is YAML
		"global":     map[string]string{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{faster(w.t, "rules.yaml", dir), faster(w.t, "alerts.yaml", dir)},
		"scrape_configs": []any{map[string]any{
			"job_name":       "fleet",
			"static_configs": []any{map[string]any{"targets": targets}},
		}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
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
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if w.t.Failed() {
			w.t.Logf("prometheus:\n%s", out.String())
		}
	})
	w.server = "http://" + address
}

// firing returns the names of the alerts that fire, and the number of instances
// that are scraped.
func (w *watched) firing() (names []string, targets int, err error) {
	alerts, err := w.query(`ALERTS{alertstate="firing"}`)
	if err != nil {
		return nil, 0, err
	}
	found := map[string]bool{}
	for _, labels := range alerts {
		found[labels["alertname"]] = true
	}
	up, err := w.query(`up == 1`)
	return slices.Sorted(maps.Keys(found)), len(up), err
}

// query returns the labels of what an expression returns.
func (w *watched) query(expr string) (all []map[string]string, err error) {
	r, err := http.Get(w.server + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return nil, err
	}
	for _, x := range answer.Data.Result {
		all = append(all, x.Metric)
	}
	if answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return all, err
}

// until waits until exactly these alerts fire.
func (w *watched) until(what string, want ...string) {
	w.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		names, targets, err := w.firing()
		if err == nil && targets == 2 && slices.Equal(names, want) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: three minutes passed; %q fire on %d instances (%v), want %q",
				what, names, targets, err, want)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// start starts an instance, and returns the address of its metrics.
func (w *watched) start(name string, options ...elastic.Option) (*elastic.Scheduler, string) {
	w.t.Helper()
	c := prom.New(prom.Options{})
	options = append(options,
		elastic.WithName(name),
		elastic.WithExporter(c),
		elastic.WithSessionTTL(2*time.Second),
	)
	s, err := elastic.Open(w.t.Context(), w.etcd.URL("alerts"), options...)
	if err != nil {
		w.t.Fatal(err)
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 4},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			if w.fails.Load() {
				return errors.New("out of paper")
			}
			return nil
		}))
	s.MustAdd(elastic.Job{Name: "stubborn", Schedule: "@manual", Shards: 1, Timeout: time.Second},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			if c := w.release.Load(); c != nil {
				<-*c // whatever the context says
			}
			return nil
		}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	metrics := httptest.NewServer(c.Handler())
	w.t.Cleanup(metrics.Close)
	return s, strings.TrimPrefix(metrics.URL, "http://")
}

// Each fault of a real fleet fires the alerts that say so, and no others. When
// it is over, none fires.
func TestAlerts_FireOnFaultsOfRealFleet(t *testing.T) {
	if os.Getenv("ELASTIC_TEST_PROMETHEUS") == "" {
		t.Skip("it takes six minutes: make prometheus runs it")
	}
	w := &watched{t: t, etcd: testservers.StartEtcd(t)}
	var addresses [2]string
	w.a, addresses[0] = w.start("a")
	w.b, addresses[1] = w.start("b", elastic.WithTesting(elastic.Testing{
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	}))
	w.prometheus(addresses[:]...)
	w.until("at the start")

	w.fails.Store(true)
	w.until("a job fails", "JobFailing")
	w.fails.Store(false)
	w.until("the job succeeds")

	operator, err := store.Open(t.Context(), w.etcd.URL("alerts"))
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close(context.Background())
	write := func(op store.Op) {
		t.Helper()
		if _, err := operator.Commit(t.Context(), store.Txn{Do: []store.Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
	write(store.Create(layout.SignalsKey("report"), []byte("garbage")))
	w.until("a key can't be read", "UnreadableKeys")
	write(store.Delete(layout.SignalsKey("report")))
	w.until("the key is gone")

	w.ahead.Store(int64(3 * time.Second))
	w.until("a clock is ahead", "ClockOff")
	w.ahead.Store(0)
	w.until("the clock is right")

	release := make(chan bool)
	w.release.Store(&release)
	if _, err := w.a.Trigger(t.Context(), "stubborn"); err != nil {
		t.Fatal(err)
	}
	w.until("a handler is stuck", "HandlerStuck")
	close(release)
	w.until("the handler has returned") // as a failure, for as long as its alert looks back

	w.etcd.Kill()
	w.until("the store is down", "InstanceWithoutSession", "StoreFailing", "StoreSlow", "WatchStale")
	w.etcd.Restart()
	w.until("the store is back")
}
