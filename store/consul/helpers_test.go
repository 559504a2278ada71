package consul

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

// ttl is that of sessions whose end is waited for. It is longer than the
// shortest that the test servers grant, so that a renewal has some room on a
// busy machine.
const ttl = 2 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

// server starts a Consul for one test.
func server(t testing.TB, options ...testservers.ConsulOptions) *testservers.Consul {
	t.Helper()
	return testservers.StartConsul(t, options...)
}

// short is the parameter by which the driver knows that the test servers grant
// short sessions.
const short = "?session_ttl_min=1s"

// tap is what a test has between the client library and the wire.
type tap = func(http.RoundTripper) http.RoundTripper

// backend is the driver with a server, to the claims that hold for all that
// have one.
func backend(c *testservers.Consul) storetest.Backend {
	return storetest.Backend{
		Server: c, TTL: ttl,
		Open:   func(t testing.TB, addrs, namespace string) store.Store { return openAt(t, addrs, namespace) },
		Hasten: func(s store.Store) { hasty(s.(*client)) },
	}
}

// lose has a session find out that it is lost.
func lose(n store.Session) { n.(*session).Life.End(store.ErrSessionLost) }

func guardOf(n store.Session) int64 { return int64(n.(*session).guard.Load()) }

// openAt opens a store at an address under a namespace.
func openAt(t testing.TB, addr, namespace string, taps ...tap) *client {
	t.Helper()
	s, err := tryOpen("consul://"+addr+"/"+namespace+short, taps...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(storetest.Bounded(t, time.Second)) })
	return s
}

func tryOpen(rawURL string, taps ...tap) (*client, error) {
	c, err := store.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storetest.Patience)
	defer cancel()
	var t tap
	if len(taps) > 0 {
		t = taps[0]
	}
	return open(ctx, c, t)
}

// refusing answers some requests to a path with an error, and passes on all
// others.
type refusing struct {
	err  error
	path string

	mu    sync.Mutex
	times int
}

func (r *refusing) tap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		r.mu.Lock()
		refused := q.URL.Path == r.path && r.times > 0
		if refused {
			r.times--
		}
		r.mu.Unlock()
		if refused {
			return nil, r.err
		}
		return next.RoundTrip(q)
	})
}

func (r *refusing) arm(times int) { r.mu.Lock(); r.times = times; r.mu.Unlock() }
func (r *refusing) left() int     { r.mu.Lock(); defer r.mu.Unlock(); return r.times }

// newSession starts a session that outlives any test, brief one whose end can
// be waited for.
func newSession(t *testing.T, s store.Store) *session {
	t.Helper()
	return start(t, s, storetest.Lasting)
}
func brief(t *testing.T, s store.Store) *session { t.Helper(); return start(t, s, ttl) }

func start(t *testing.T, s store.Store, ttl time.Duration) *session {
	t.Helper()
	return storetest.Session(t, s, ttl).(*session)
}

// admin is a client of its own, for what an operator or a stranger does.
func admin(t testing.TB, c *testservers.Consul) *api.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: c.Addr(), Token: c.Token(), HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
