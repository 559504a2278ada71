package consul

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/atomicmax"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/hashicorp/consul/api"
)

// host is one agent of the URL. The client library knows one address, so there
// is a client for each.
type host struct {
	addr     string
	wire     *wire
	api      *api.Client
	answered atomic.Int64 // when it did last, counted from epoch
	failed   atomic.Int64 // the same
}

// rank orders hosts by what they did last: those that answered, those never
// asked, those that did not answer.
func (h *host) rank() int {
	switch answered, failed := h.answered.Load(), h.failed.Load(); {
	case answered > failed:
		return 0
	case failed == 0:
		return 1
	}
	return 2
}

// turn makes the next request to a host go to another of its addresses, if it
// has several: a host of the URL may be several agents.
func (h *host) turn() {
	h.wire.dialer.Avoid(h.addr)
	h.wire.CloseIdleConnections()
}

// hosts are the agents of a URL, one of which is asked until it fails; then the
// next one is.
type hosts struct {
	all []*host
	at  atomic.Int32
}

// newHost makes a client that takes nothing from the environment: the token
// that it is given here keeps it from looking for another, and never
// sent; see wire.
func newHost(addr, scheme, datacenter, namespace, partition string, transport http.RoundTripper, w *wire) (*host, error) {
	client, err := api.NewClient(&api.Config{
		Address: addr, Scheme: scheme, Datacenter: datacenter, Namespace: namespace, Partition: partition, Token: "-",
		Transport:  w.Transport,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	return &host{addr: addr, wire: w, api: client}, err
}

func (h *hosts) now() *host { return h.all[h.at.Load()] }

// leave makes another host the one that is asked, if it is still this one that
// has not done what was asked of it at a time. One that has answered others
// since is good: what it did not answer waits for a leader that was lost, say,
// and with another host nothing would be better, or worse.
func (h *hosts) leave(bad *host, asked time.Time) {
	at := h.at.Load()
	if h.all[at] != bad || bad.answered.Load() >= int64(asked.Sub(epoch)) {
		return
	}
	atomicmax.Raise(&bad.failed, int64(time.Since(epoch)))
	bad.turn()
	best := at
	for i := range h.all { // the next of the best, around to this one
		other := (at + 1 + int32(i)) % int32(len(h.all))
		if best == at || h.all[other].rank() < h.all[best].rank() {
			best = other
		}
	}
	h.at.CompareAndSwap(at, best)
}

func (h *hosts) close() {
	for _, host := range h.all {
		host.wire.dialer.Close()
	}
	h.closeIdle()
}

func (h *hosts) closeIdle() {
	for _, host := range h.all {
		host.wire.CloseIdleConnections()
	}
}

// ask makes a request until it is answered, refused for good, or ctx ends;
// without a deadline in ctx, the store's own holds. What must not be done twice
// is asked again only while it has surely not been done; the error is then a
// lostError if it may have been. The errors of f are those of the client
// library.
func (s *client) ask(ctx context.Context, twice bool, f func(ctx context.Context, h *host) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	pause := &backoff.Backoff{Next: 10 * time.Millisecond, Most: 250 * time.Millisecond}
	var reason error // why no answer came, if it is more than that time was up
	for renewed := false; ; pause.Wait(ctx) {
		h, secret := s.hosts.now(), s.token.get()
		began := time.Now()
		sent, err := attempt(ctx, h, twice, f)
		if err == nil {
			s.heard(h)
			return nil
		}
		class := refusal(err)
		switch {
		case class == store.ErrPermission && !renewed && s.token.renewed(secret):
			renewed = true
			continue
		case final(class):
			return err
		}
		if hurried := isTime(err) && time.Since(began) < s.silence; !hurried {
			s.hosts.leave(h, began)
			if class == nil && sent {
				s.suspect(h)
			}
		}
		if class == nil && sent && !twice {
			return because(ctx, lostError{err})
		}
		if reason == nil || !isTime(err) {
			reason = err
		}
		if ctx.Err() != nil || s.running.Context().Err() != nil {
			return because(ctx, reason)
		}
	}
}

// attempt asks once. An attempt that can be repeated has to be answered in two
// thirds of the time that is left, or another connection, or another host, may
// do better; once the answer has begun it may take all of it.
func attempt(ctx context.Context, h *host, twice bool, f func(ctx context.Context, h *host) error) (sent bool, err error) {
	var request sending
	if end, _ := ctx.Deadline(); twice {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		timer := time.AfterFunc(time.Until(end)*2/3, cancel)
		defer timer.Stop()
		request.answered = func() { timer.Stop() }
	}
	err = f(context.WithValue(ctx, sendingKey{}, &request), h)
	return request.sent, err
}

// isTime reports whether an error is that of a context which has ended.
func isTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// silence is how long an answer must have been waited for before its host and
// its connection are doubted: more than a busy server takes, so that a caller
// in a hurry breaks nothing.
const silence = 500 * time.Millisecond

// suspect drops connections that may be dead: something that was sent has not
// been answered. A caller that waits for a change asks again, on another
// connection; also who has asked since, for that may have been on one of the
// dead.
func (s *client) suspect(h *host) {
	h.turn()
	s.askAllAgain(time.Now())
}

// askAllAgain has watches ask again that have waited since before a time.
func (s *client) askAllAgain(since time.Time) {
	for _, w := range s.running.Watches() {
		w.askAgain(since)
	}
}

// query is how everything is read: the leader makes sure, with the other
// servers, that it still is the leader.
func (s *client) query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
}

func (s *client) write(ctx context.Context) *api.WriteOptions {
	return (&api.WriteOptions{}).WithContext(ctx)
}
