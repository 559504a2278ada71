// Package dial connects to a host of a store's URL. A host is not a server:
// its name may have several addresses, of which any may be dead.
package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// stagger is the pause before the next address of a host is tried while
	// earlier attempts go on. RFC 8305 recommends 250 ms. If the deadline
	// leaves less than that for each address, the pause is shorter, but never
	// below shortestStagger.
	stagger         = 250 * time.Millisecond
	shortestStagger = 100 * time.Millisecond

	// patience is the time that the name server has for an answer before the
	// last known addresses are tried.
	patience = 250 * time.Millisecond

	// lookupTimeout bounds one lookup. It is longer than the time that most
	// dials have: a resolver needs 5 s to leave a dead name server for the
	// next one. The lookup goes on after a dial has given up, and the next dial
	// has its answer.
	lookupTimeout = 20 * time.Second

	// avoidFor is the time for which an address that did not serve is tried
	// after the others.
	avoidFor = time.Minute
)

// Dialer connects to hosts. It looks a name up again at each dial, and tries
// the addresses that it has as RFC 8305 ("happy eyeballs") says: IPv6 and IPv4
// in turn, the next one when an attempt fails or has taken 250 ms. The first
// connection wins.
//
// Addresses that did not serve are tried after the others for a minute: those
// that refused a connection or did not answer, those whose connection was
// closed after a question and before any answer, and those that [Dialer.Avoid]
// was called for.
//
// A lookup that fails or takes long is replaced by the last known addresses of
// the name. The answer that there is no such name is no failure: the addresses
// may be those of other servers by now.
//
// A Dialer is safe for concurrent use. Its zero value is ready. Close ends the
// lookups that are under way.
type Dialer struct {
	// Resolver looks names up. The default is net.DefaultResolver.
	Resolver *net.Resolver

	// Timeout bounds each dial, besides its context. The default is no bound.
	Timeout time.Duration

	// KeepAlive is the configuration of connections, as in net.Dialer.
	KeepAlive net.KeepAliveConfig

	mu     sync.Mutex
	closed bool
	hosts  map[string]*host
}

// host is the state of one name, or one IP address.
type host struct {
	known  []netip.Addr             // the last answer of a name server
	lookup *lookup                  // under way, nil if none is
	bad    map[netip.Addr]time.Time // addresses that did not serve, and when
	last   netip.Addr               // of the last connection
}

// lookup is a question to a name server.
type lookup struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the fields below are set
	addrs  []netip.Addr
	err    error
}

// Close ends the lookups that are under way. Dials that begin later fail.
func (d *Dialer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, h := range d.hosts {
		if h.lookup != nil {
			h.lookup.cancel()
		}
	}
}

// Avoid notes that the server behind the last connection to an address
// (host:port) does not serve, although it took the connection. The next dial
// tries the host's other addresses first.
func (d *Dialer) Avoid(addr string) {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h := d.hosts[name]; h != nil && h.last.IsValid() {
		h.bad[h.last] = time.Now()
	}
}

// Addresses returns the number of addresses that the host of host:port had at
// the last lookup, 1 for an IP address, 0 if it is not known.
func (d *Dialer) Addresses(addr string) int {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h := d.hosts[name]; h != nil {
		return len(h.known)
	}
	return 0
}

// DialContext connects to host:port by TCP. Its error names the reason of each
// address.
func (d *Dialer) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	r := &race{
		Dialer:  d,
		name:    name,
		port:    port,
		results: make(chan result),
		tried:   map[netip.Addr]bool{},
		running: map[netip.Addr]time.Time{},
	}
	conn, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// ask returns the last known addresses of a name, and the lookup that is under
// way now. An IP address is its own answer.
func (d *Dialer) ask(name string) (known []netip.Addr, l *lookup, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, net.ErrClosed
	}
	h := d.host(name)
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil, nil
	}
	if h.lookup == nil {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		h.lookup = &lookup{cancel: cancel, done: make(chan struct{})}
		go d.look(ctx, name, h, h.lookup)
	}
	return h.known, h.lookup, nil
}

// host returns the state of a name. mu is held.
func (d *Dialer) host(name string) *host {
	h := d.hosts[name]
	if h == nil {
		h = &host{bad: map[netip.Addr]time.Time{}}
		if d.hosts == nil {
			d.hosts = map[string]*host{}
		}
		d.hosts[name] = h
	}
	return h
}

// look does a lookup.
func (d *Dialer) look(ctx context.Context, name string, h *host, l *lookup) {
	defer l.cancel()
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	l.addrs, l.err = resolver.LookupNetIP(ctx, "ip", name)
	for i, a := range l.addrs {
		l.addrs[i] = a.Unmap()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	h.lookup = nil
	if l.err == nil || notFound(l.err) {
		h.known = l.addrs
	}
	close(l.done)
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// note takes note of whether an address serves.
func (d *Dialer) note(name string, a netip.Addr, serves bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h := d.host(name); serves {
		delete(h.bad, a)
	} else {
		h.bad[a] = time.Now()
	}
}

// order returns the addresses of a name in the order in which they are tried:
// as the resolver has sorted them, but both families in turn, and those that
// did not serve at the end, the one that is longest ago first.
func (d *Dialer) order(name string, addrs []netip.Addr) []netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.host(name)
	for a, at := range h.bad {
		if time.Since(at) >= avoidFor {
			delete(h.bad, a)
		}
	}
	return ordered(addrs, h.bad)
}
