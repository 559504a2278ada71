package e2e

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/observe/health"
)

// While a store is down an instance lives and is not ready. With the store it
// is ready again, without a restart.
func TestProbes_FollowStoppedStore(t *testing.T) {
	t.Parallel()
	server := testservers.StartEtcd(t)
	s, err := elastic.Open(t.Context(), server.URL("probes"), elastic.WithSessionTTL(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 2},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	probes := httptest.NewServer(health.Handler(s))
	defer probes.Close()
	ask := func(path string) (int, string) {
		r, err := http.Get(probes.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	// until waits for a state of readyz. At all times livez must succeed.
	until := func(what string, holds func(code int, body string) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if code, body := ask("/livez"); code != http.StatusOK {
				t.Fatalf("%s: livez fails: %s", what, body)
			}
			code, body := ask("/readyz")
			if holds(code, body) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("a minute passed without: %s; readyz: %d %s", what, code, body)
			}
		}
	}
	isReady := func(code int, _ string) bool { return code == http.StatusOK }
	until("ready", isReady)
	server.Kill()
	until("not ready without the store", func(code int, body string) bool {
		return code == http.StatusServiceUnavailable &&
			strings.Contains(body, `"no_session"`) && strings.Contains(body, `"watch_stale"`)
	})
	// For longer than the loop may stand still.
	end := time.Now().Add(health.MaxIdle + 2*time.Second)
	until("12 s without the store", func(int, string) bool { return time.Now().After(end) })
	if code, body := ask("/startupz"); code != http.StatusOK {
		t.Errorf("startupz fails for an instance that has joined before: %s", body)
	}
	server.Restart()
	until("ready again", isReady)
}
