package dial

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/endpoint"
)

// race is one dial: attempts to connect to the addresses of one name.
type race struct {
	*Dialer
	name, port string
	results    chan result
	left       []netip.Addr // not tried yet
	tried      map[netip.Addr]bool
	running    map[netip.Addr]time.Time // attempts without a result, and their start
	faults     []error
}

type result struct {
	addr netip.Addr
	conn net.Conn
	err  error
}

// run returns the first connection, or the reasons of all addresses. It owns
// the fields of the race.
func (r *race) run(ctx context.Context) (*conn, error) {
	known, l, err := r.ask(r.name)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	attempts, cancel := context.WithCancel(ctx)
	defer cancel() // ends the attempts that have lost
	var answered <-chan struct{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	switch {
	case l == nil:
		r.add(known)
	case len(known) > 0:
		answered = l.done
		timer.Reset(patience)
	default:
		answered = l.done
		timer.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil, r.ended(ctx, answered != nil)
		case <-answered:
			answered = nil
			r.take(l, known)
			if len(r.running) == 0 {
				timer.Reset(0)
			}
		case <-timer.C:
			if answered != nil {
				r.add(known) // the name server takes its time
			}
			if r.start(attempts) {
				timer.Reset(r.pause(ctx))
			}
		case got := <-r.results:
			began := r.running[got.addr]
			delete(r.running, got.addr)
			if got.err == nil {
				r.won(got.addr, began)
				return &conn{Conn: got.conn, dialer: r.Dialer, name: r.name, addr: got.addr}, nil
			}
			if !errors.Is(ctx.Err(), context.Canceled) {
				r.note(r.name, got.addr, false)
			}
			r.faults = append(r.faults, got.err)
			timer.Reset(0)
		}
		if answered == nil && len(r.running) == 0 && len(r.left) == 0 {
			return nil, endpoint.Join(r.faults...)
		}
	}
}

// take adds the addresses that a lookup has found, or the last known ones if
// it has failed.
func (r *race) take(l *lookup, known []netip.Addr) {
	if l.err == nil {
		r.add(l.addrs)
		return
	}
	if r.faults = append(r.faults, l.err); !notFound(l.err) {
		r.add(known)
	}
}

// add adds addresses that have not been tried.
func (r *race) add(addrs []netip.Addr) {
	for _, a := range r.order(r.name, addrs) {
		if !r.tried[a] {
			r.tried[a] = true
			r.left = append(r.left, a)
		}
	}
}

// start begins the next attempt. It returns false if there is none.
func (r *race) start(ctx context.Context) bool {
	if len(r.left) == 0 {
		return false
	}
	a := r.left[0]
	r.left = r.left[1:]
	r.running[a] = time.Now()
	go func() {
		dialer := net.Dialer{KeepAliveConfig: r.KeepAlive}
		c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), r.port))
		select {
		case r.results <- result{a, c, err}:
		case <-ctx.Done():
			if err == nil {
				c.Close()
			}
		}
	}()
	return true
}

// pause returns how long the attempts that are running have before the next
// address is tried, too.
func (r *race) pause(ctx context.Context) time.Duration {
	end, bounded := ctx.Deadline()
	if !bounded {
		return stagger
	}
	share := time.Until(end) / time.Duration(len(r.left)+1)
	return max(shortestStagger, min(stagger, share))
}

// won takes note of the winner, and of attempts that had more time than it.
func (r *race) won(winner netip.Addr, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.host(r.name)
	h.last = winner
	for a, at := range r.running {
		if at.Before(began) {
			h.bad[a] = time.Now()
		}
	}
}

// ended returns why there is no connection at the end of ctx. asking reports
// whether the name server has not answered.
func (r *race) ended(ctx context.Context, asking bool) error {
	host := text(net.JoinHostPort(r.name, r.port))
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: host, Err: ctx.Err()}
	}
	if asking && len(r.tried) == 0 {
		return &net.DNSError{Err: "the name server has not answered", Name: r.name, IsTimeout: true, IsTemporary: true}
	}
	for _, a := range slices.SortedFunc(maps.Keys(r.running), netip.Addr.Compare) {
		if time.Since(r.running[a]) >= shortestStagger {
			r.note(r.name, a, false)
		}
		addr := net.JoinHostPort(a.String(), r.port)
		r.faults = append(r.faults, &net.OpError{Op: "dial", Net: "tcp", Addr: text(addr), Err: silence{}})
	}
	if len(r.faults) == 0 { // the deadline had passed before the first attempt
		return &net.OpError{Op: "dial", Net: "tcp", Addr: host, Err: silence{}}
	}
	return endpoint.Join(r.faults...)
}

// ordered returns the addresses of both families in turn, beginning with that
// of the first, and behind them those in bad, the one that is longest ago
// first.
func ordered(addrs []netip.Addr, bad map[netip.Addr]time.Time) []netip.Addr {
	var first, second, last []netip.Addr
	for _, a := range addrs {
		_, isBad := bad[a]
		switch {
		case isBad:
			last = append(last, a)
		case a.Is4() == addrs[0].Is4():
			first = append(first, a)
		default:
			second = append(second, a)
		}
	}
	slices.SortStableFunc(last, func(a, b netip.Addr) int { return bad[a].Compare(bad[b]) })
	all := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			all = append(all, first[i])
		}
		if i < len(second) {
			all = append(all, second[i])
		}
	}
	return append(all, last...)
}

// text is an address in an error.
type text string

func (text) Network() string  { return "tcp" }
func (t text) String() string { return string(t) }

// silence is the reason of an address that has not answered until the
// deadline.
type silence struct{}

func (silence) Error() string        { return "no answer" }
func (silence) Timeout() bool        { return true }
func (silence) Temporary() bool      { return true }
func (silence) Is(target error) bool { return target == context.DeadlineExceeded }
