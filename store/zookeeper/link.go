package zookeeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/dial"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	"github.com/go-zookeeper/zk"
)

// The rhythm of a link, as parts of its TTL. With the default of 10 s a ping is
// sent every 2.5 s, and a connection that owes an answer for 2 s is given up,
// so that there is time for another. A ping counts when the next is answered:
// see extend.
const (
	pings   = 4
	relay   = 4 // at least pings
	silence = 5

	shortestSilence = 500 * time.Millisecond // a busy server takes so long
)

var (
	errLeft      = errors.New("the session was closed")
	errAbandoned = errors.New("the connection was given up")
	errForsaken  = errors.New("no server has taken the session back for its TTL")

	// errEarlyEnd is that of a server that took the connection and ended it
	// before we had looked.
	errEarlyEnd = errors.New("no answer to the handshake")
)

// ensemble is the servers of a URL, and who we are to them.
type ensemble struct {
	hosts    []string
	dialer   *dial.Dialer
	auth     func() string      // user:password as it is now; nil for none
	security *endpoint.Security // nil for none
}

// dial connects to a server.
func (h ensemble) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := h.dialer.DialContext(ctx, "tcp", addr)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		err = fmt.Errorf("%w: %w", errEarlyEnd, err)
	}
	if err != nil || h.security == nil {
		return conn, err
	}
	secure, err := h.security.Handshake(ctx, conn, addr)
	if err != nil {
		h.dialer.Avoid(addr)
		return nil, muteError{conn.RemoteAddr().String(), err}
	}
	return secure, nil
}

func (h ensemble) acl() []zk.ACL {
	if h.auth == nil {
		return zk.WorldACL(zk.PermAll)
	}
	return zk.AuthACL(zk.PermAll)
}

// link is one session of ZooKeeper's, and the client library's connection that
// holds it: on one wire after another, while the session lives, and never for
// another session. The library would take a new session for one that has
// expired, and execute in it what it had queued before.
type link struct {
	hosts     ensemble
	idly      bool                                  // a ping is sent only if nothing else is answered
	granted   atomic.Int64                          // the TTL
	onEvent   func(path string)                     // something has changed at a path; must not block
	onRenewed func(at time.Time, ttl time.Duration) // see extend; must not block

	ctx     context.Context // ends with the link; its cause is why
	cancel  context.CancelCauseFunc
	conn    *zk.Conn
	leaving chan struct{} // closed when the session is to be closed
	leave1  sync.Once

	mu       sync.Mutex
	wire     *wire         // nil while there is none that is greeted
	latest   *wire         // greeted or not
	changed  chan struct{} // closed at every change of wire
	session  int64
	password string
	attempts int       // of dialling since the last greeting
	fault    error     // of the last attempt that failed since then
	alone    time.Time // since when no server has greeted us
	denied   error     // the last answer to our credentials, nil if they are good
	next     int       // of hosts
}

// newLink begins to connect. The caller must have run called in a goroutine.
func newLink(l *link, ttl time.Duration) (run func(), err error) {
	l.leaving, l.changed, l.next = make(chan struct{}), make(chan struct{}), rand.IntN(len(l.hosts.hosts))
	l.granted.Store(int64(ttl))
	l.alone = time.Now()
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	conn, events, err := zk.Connect(l.hosts.hosts, ttl, zk.WithHostProvider(hostsInTurn{l}), zk.WithDialer(l.dial),
		zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		l.end(err)
		return nil, err
	}
	l.conn = conn
	return func() { l.run(events) }, nil
}

// silent is a logger. What the library logs, we return.
type silent struct{}

func (silent) Printf(string, ...any) {}

// hostsInTurn tells the library where to go. Its own pauses for a second
// whenever it has come around, of which there is only one in a short session,
// and which with one host is each time; we pause in dial.
type hostsInTurn struct{ *link }

func (hostsInTurn) Init([]string) error { return nil }
func (h hostsInTurn) Len() int          { return len(h.hosts.hosts) }
func (hostsInTurn) Connected()          {}

// Next also tells a library whose link has ended to see whether it was closed,
// which it does when it has come around.
func (h hostsInTurn) Next() (host string, around bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = (h.next + 1) % len(h.hosts.hosts)
	return h.hosts.hosts[h.next], h.ctx.Err() != nil
}

func (l *link) ttl() time.Duration { return time.Duration(l.granted.Load()) }

// rhythm is how often the session is renewed. One that nothing is kept alive by
// need only not expire.
func (l *link) rhythm() time.Duration {
	if l.idly {
		return l.ttl() * 2 / 3
	}
	return l.ttl() / pings
}

// silence is how long an answer is waited for.
func (l *link) silence() time.Duration {
	return min(max(l.ttl()/silence, shortestSilence), l.ttl()/3)
}

// dial makes a wire. The library calls it again and again.
func (l *link) dial(_, addr string, _ time.Duration) (net.Conn, error) {
	l.mu.Lock()
	rounds := l.attempts / len(l.hosts.hosts)
	l.attempts++
	l.mu.Unlock()
	if rounds > 0 {
		most := min(500*time.Millisecond, l.ttl()/20)
		(&backoff.Backoff{Next: min(most, 10*time.Millisecond<<min(rounds, 6)), Most: most}).Wait(l.ctx)
	}
	patience := min(time.Second, l.silence())
	if l.hosts.security != nil {
		// A handshake is work that a busy server does slowly. One that is given
		// up is begun again from the start, so each round has twice the time of
		// the one before.
		patience = min(patience<<min(rounds, 4), l.ttl()/3)
	}
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	conn, err := l.hosts.dial(ctx, addr)
	if err != nil {
		l.failed(addr, err)
		return nil, err
	}
	w := newWire(conn, l, addr)
	l.mu.Lock()
	l.latest = w
	l.mu.Unlock()
	if l.ctx.Err() != nil {
		w.Close()
	}
	return w, nil
}

func (l *link) connected(w *wire, g greeting) {
	l.mu.Lock()
	first := l.session == 0
	l.session, l.password = g.session, g.password
	if first {
		l.granted.Store(int64(g.ttl))
	}
	l.attempts, l.fault = 0, nil
	l.set(w)
	l.mu.Unlock()
	l.renewed(w.dialled)
}

// isItself reports whether a session is the one that the link has, if it has
// one.
func (l *link) isItself(session int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session == 0 || l.session == session
}

// failed takes note of why there is no connection, to be told to those who wait
// for one.
func (l *link) failed(addr string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.fault = fmt.Errorf("%s: %w", addr, why)
	}
}

// authenticated takes note of the answer to our credentials.
func (l *link) authenticated(denied error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied = denied
}

// lastFault returns why there is no connection, nil if there is one.
func (l *link) lastFault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

func (l *link) disconnected(w *wire) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wire == w {
		l.alone = time.Now()
		l.set(nil)
	}
}

// set changes the wire. mu is held.
func (l *link) set(w *wire) {
	l.wire = w
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) renewed(at time.Time) { l.onRenewed(at, l.ttl()) }

// current returns the wire, nil if there is none now.
func (l *link) current() *wire {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wire
}

// ready waits for a wire.
func (l *link) ready(ctx context.Context) (*wire, error) {
	for {
		l.mu.Lock()
		w, changed, denied := l.wire, l.changed, l.denied
		l.mu.Unlock()
		if l.ctx.Err() != nil {
			return nil, context.Cause(l.ctx)
		}
		if w != nil {
			return w, nil
		}
		if denied != nil {
			return nil, denied
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
		case <-ctx.Done():
			return nil, late(ctx, cmp.Or(l.lastFault(), errNoConnection))
		}
	}
}

// end ends the link without a farewell, or after it.
func (l *link) end(why error) {
	l.cancel(why)
	l.mu.Lock()
	w := l.latest
	l.mu.Unlock()
	if w != nil {
		w.Close()
	}
}

// leave closes the session. It returns nil when the server has done so or had
// done so before.
func (l *link) leave(ctx context.Context) error {
	_, err := l.ready(ctx)
	if err == nil {
		l.leave1.Do(func() { close(l.leaving) })
		select {
		case <-l.ctx.Done():
		case <-ctx.Done():
		}
	}
	l.end(errAbandoned)
	switch cause := context.Cause(l.ctx); {
	case cause == errLeft, errors.Is(cause, zk.ErrSessionExpired):
		return nil
	case err != nil:
		return err
	case ctx.Err() != nil:
		return late(ctx, errNoAnswer)
	default:
		return cause
	}
}

// forsaken reports whether the link is of no use any more: its session has
// expired, as far as we can know, and no server says so. Servers whose data was
// put back to an older state refuse a client that has seen newer ones. They
// close the connection without an answer, for ever. A session that something is
// kept alive by ends by its own deadline.
func (l *link) forsaken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idly && l.wire == nil && time.Since(l.alone) >= l.ttl()
}

// run keeps the session alive until the link ends.
func (l *link) run(events <-chan zk.Event) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for stay := true; stay; {
		select {
		case <-l.ctx.Done():
			stay = false
		case <-l.leaving:
			stay = false
		case <-timer.C:
			pause := l.silence()
			if w := l.current(); w != nil {
				w.authenticate()
				pause = w.look(time.Now())
			} else if l.forsaken() {
				l.end(errForsaken)
			}
			timer.Reset(pause)
		}
	}
	l.conn.Close()
	for range events { // until the library's goroutines have ended
	}
	l.end(errAbandoned)
}

// call makes a call of the client library, which knows nothing of contexts.
// What is still under way when ctx ends goes on until the server answers or the
// connection breaks.
func call[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := f()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, named(r.err)
	case <-ctx.Done():
		var none T
		return none, late(ctx, errNoAnswer)
	}
}
