package health_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe/health"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// probe asks a probe, and returns the status and the codes of its reasons.
func probe(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var s health.Status
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatalf("%s: %q: %v", path, w.Body, err)
	}
	if s.OK != (w.Code == http.StatusOK) || "/"+s.Probe != path || s.OK != (len(s.Reasons) == 0) {
		t.Errorf("%s: status %d with %+v", path, w.Code, s)
	}
	var codes []string
	for _, r := range s.Reasons {
		codes = append(codes, r.Code)
	}
	return w.Code, strings.Join(codes, " ")
}

// want checks all probes: what each fails for, or "" if it succeeds.
func want(t *testing.T, when string, h http.Handler, livez, readyz, startupz string) {
	t.Helper()
	for path, want := range map[string]string{"/livez": livez, "/readyz": readyz, "/startupz": startupz} {
		if _, got := probe(t, h, path); got != want {
			t.Errorf("%s: %s fails for %q, want %q", when, path, got, want)
		}
	}
}

// The probes follow an instance from before its start to after its end. While
// the store is away it lives, and is not ready.
func TestHandler_FollowsInstance(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(elastic.Job{Name: "report", Schedule: "0 5 0 * * ?", Shards: 1},
			elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
				return elastictest.Work(ctx, 20*time.Second)
			}))
		early, err := elastic.Open(t.Context(), "memory:///early")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "before Run", health.Handler(early), "", "not_started", "not_started")
		if err := early.Close(); err != nil {
			t.Error(err)
		}
		c.Start("a")
		s := c.Scheduler("a")
		h := health.Handler(s)
		c.Settle()
		want(t, "running", h, "", "", "")
		c.Cut("a")
		c.Advance(time.Minute)
		want(t, "cut off", h, "", "no_session watch_stale", "")
		c.Heal("a")
		c.Advance(time.Minute)
		want(t, "healed", h, "", "", "")
		c.NextFire("report")
		go func() { _ = s.Close() }()
		c.Advance(time.Second)
		want(t, "leaving", h, "", "draining", "")
		c.Advance(time.Minute)
		want(t, "after the end", h, "", "ended", "")
	})
}

// An instance whose clock is wrong lives and is not ready.
func TestHandler_NamesWrongClock(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Start("a", "b", "c")
		c.StartWith("d", elastic.WithTesting(elastic.Testing{
			Now: func() time.Time { return time.Now().Add(time.Minute) },
		}))
		c.Advance(3 * time.Minute)
		want(t, "an hour ahead", health.Handler(c.Scheduler("d")), "", "clock_wrong", "")
		want(t, "of the others", health.Handler(c.Scheduler("a")), "", "", "")
	})
}

// blocking is a store that blocks the loop, which asks it for its abilities.
type blocking struct {
	store.Store
	on      atomic.Bool
	entered chan bool
	release chan bool
}

func (b *blocking) Caps() store.Caps {
	if b.on.Load() {
		b.entered <- true
		<-b.release
	}
	return b.Store.Caps()
}

// A loop that does not turn fails the liveness probe after ten seconds, and no
// sooner. The probe itself waits for nothing.
func TestHandler_FailsForBlockedLoop(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		b := &blocking{Store: memory.NewServer().Connect("a"), entered: make(chan bool), release: make(chan bool)}
		s, err := elastic.New(b)
		if err != nil {
			t.Fatal(err)
		}
		s.MustAdd(elastic.Job{Name: "report", Schedule: "0 1 0 * * ?", Shards: 1},
			elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		h := health.Handler(s)
		time.Sleep(50 * time.Second)
		want(t, "before", h, "", "", "")
		b.on.Store(true)
		<-b.entered // at the fire at 00:01, or the heartbeat before it
		b.on.Store(false)
		time.Sleep(9 * time.Second)
		want(t, "blocked for 9 s", h, "", "", "")
		time.Sleep(2 * time.Second)
		if code, why := probe(t, h, "/livez"); code != http.StatusServiceUnavailable || why != "loop_blocked" {
			t.Errorf("blocked for 11 s: livez has %d for %q, want it to fail", code, why)
		}
		if _, why := probe(t, h, "/readyz"); !strings.Contains(why, "loop_blocked") {
			t.Errorf("blocked for 11 s: readyz fails for %q", why)
		}
		close(b.release)
		time.Sleep(30 * time.Second)
		want(t, "released", h, "", "", "")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Text is for people, HEAD has no body, other methods and paths are refused,
// and a scheduler that is not there has not started.
func TestHandler_AnswersInForms(t *testing.T) {
	h := health.Handler((*elastic.Scheduler)(nil))
	want(t, "without a scheduler", h, "", "not_started", "not_started")
	for _, row := range []struct {
		method, path string
		code         int
		body         string
	}{
		{http.MethodGet, "/livez?plain", 200, "ok\n"},
		{http.MethodGet, "/readyz?plain", 503, "readyz fails\nnot_started: the instance has not joined yet\n"},
		{http.MethodPost, "/livez", 405, "Method Not Allowed\n"},
		{http.MethodGet, "/", 404, "404 page not found\n"},
		{http.MethodGet, "/livez/x", 404, "404 page not found\n"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(row.method, row.path, nil))
		if w.Code != row.code || w.Body.String() != row.body {
			t.Errorf("%s %s: %d %q, want %d %q", row.method, row.path, w.Code, w.Body, row.code, row.body)
		}
	}
	server := httptest.NewServer(http.StripPrefix("/health", h))
	defer server.Close()
	r, err := http.Head(server.URL + "/health/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD has the status %d and %v", r.StatusCode, r.Header)
	}
}

// A probe costs little: it may be asked often, by anyone.
func BenchmarkReadyz(b *testing.B) {
	h := health.Handler((*elastic.Scheduler)(nil))
	r := httptest.NewRequest(http.MethodGet, "/readyz", nil)
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
