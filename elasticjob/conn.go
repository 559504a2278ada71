package elasticjob

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// conn is the part of a ZooKeeper client that this package uses. Tests put
// stops between its operations.
type conn interface {
	Get(path string) ([]byte, *zk.Stat, error)
	Children(path string) ([]string, *zk.Stat, error)
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
	Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error)
	Delete(path string, version int32) error
	Multi(ops ...any) ([]zk.MultiResponse, error)
	Sync(path string) (string, error)
}

// Client reads a namespace of ElasticJob. It is safe for concurrent use.
type Client struct {
	conn    conn
	close   func()
	root    string   // the namespace's path
	acl     []zk.ACL // of nodes that a repair creates
	timeout time.Duration
	pace    *pace
	slots   chan struct{}  // calls that may be under way
	granted *atomic.Int64  // the session's time-out, in nanoseconds
	lost    *atomic.Uint64 // how often the connection has been lost
}

// DefaultRate is how many calls a second a client makes at most, unless
// [Client.Limit] says otherwise. It is a small part of the calls that an
// ensemble answers, so that Java's own are not delayed.
const DefaultRate = 2000

const (
	readsUnderWay = 64
	maxNode       = 1 << 20  // bytes of a value
	maxReply      = 64 << 20 // 100,000 names of children take 5 MiB

	// askedTimeout is what Curator asks for. The server grants it or its
	// maximum, whichever is shorter.
	askedTimeout = 60 * time.Second
)

// Open connects to the namespace of a URL
//
//	zookeeper://[user[:password]@]host[:port][,host[:port]…]/[chroot/]namespace[?param=value[&…]]
//
// and returns once the namespace's node has been read. Parameters are those of
// elastic's ZooKeeper driver: tls, ca, cert, key, server_name, request_timeout,
// password_env and password_file. The user is one of the scheme "digest".
// Errors don't hold secrets; they are store.ErrInvalid for a bad URL,
// store.ErrPermission and store.ErrUnavailable.
func Open(ctx context.Context, rawURL string) (*Client, error) {
	c, err := store.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	fault := func(format string, a ...any) error {
		return fmt.Errorf("%w: store URL %q: %s", store.ErrInvalid, store.Redact(rawURL), fmt.Sprintf(format, a...))
	}
	switch {
	case c.Scheme != "zookeeper":
		return nil, fault("ElasticJob keeps its jobs in ZooKeeper; write zookeeper://host/namespace")
	case len(c.Hosts) == 0:
		return nil, fault("it names no host")
	case strings.Trim(c.Path, "/") == "":
		return nil, fault("it names no namespace; write the one of the Java programs after the hosts, such as " +
			"zookeeper://host/namespace")
	case strings.Contains(c.User, ":"):
		return nil, fault("the user has a colon")
	}
	security, err := newTLS(c.Params)
	if err != nil {
		return nil, fault("%v", err)
	}
	client := &Client{
		root:    "/" + strings.Trim(c.Path, "/"),
		acl:     zk.WorldACL(zk.PermAll),
		timeout: c.RequestTimeout,
		pace:    &pace{every: time.Second / DefaultRate},
		slots:   make(chan struct{}, readsUnderWay),
		granted: &atomic.Int64{},
		lost:    &atomic.Uint64{},
	}
	var hosts []string
	for _, host := range c.Hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "2181")
		}
		hosts = append(hosts, host)
	}
	dialer := &dialer{security: security, granted: client.granted}
	z, events, err := zk.Connect(hosts, askedTimeout, zk.WithDialer(dialer.dial), zk.WithLogger(silent{}),
		zk.WithLogInfo(false), zk.WithMaxBufferSize(maxReply), zk.WithHostProvider(&hostsInTurn{}))
	if err != nil {
		return nil, fmt.Errorf("%w: zookeeper at %s: %w", store.ErrUnavailable, strings.Join(hosts, ", "), err)
	}
	client.conn, client.close = z, z.Close
	connected := make(chan struct{})
	go func() {
		var once sync.Once
		for e := range events {
			switch e.State {
			case zk.StateHasSession:
				once.Do(func() { close(connected) })
			case zk.StateDisconnected, zk.StateExpired:
				client.lost.Add(1)
			}
		}
	}()
	if err := client.greet(ctx, c, z, connected); err != nil {
		z.Close()
		if ctx.Err() != nil && client.Granted() == 0 {
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, dialer.fault())
		}
		return nil, fmt.Errorf("zookeeper at %s: %w", strings.Join(hosts, ", "), err)
	}
	return client, nil
}

// greet waits for the session, says who we are and reads the namespace.
func (c *Client) greet(ctx context.Context, config store.Config, z *zk.Conn, connected <-chan struct{}) error {
	select {
	case <-connected:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	if config.User != "" {
		_, err := call(ctx, c, func() (struct{}, error) {
			return struct{}{}, z.AddAuth("digest", []byte(config.User+":"+config.CurrentPassword()))
		})
		if err != nil {
			return err
		}
		c.acl = zk.AuthACL(zk.PermAll)
	}
	_, _, err := c.get(ctx, c.root)
	if errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("%w: there is no node %s; name the namespace of the Java programs, and the chroot before "+
			"it if they have one",
			store.ErrInvalid, c.root)
	}
	return err
}

// Limit sets how many calls a second the client makes at most; 0 or less means
// DefaultRate. At most 64 calls are under way at a time, whatever the rate.
func (c *Client) Limit(perSecond int) {
	if perSecond <= 0 {
		perSecond = DefaultRate
	}
	c.pace.mu.Lock()
	defer c.pace.mu.Unlock()
	c.pace.every = time.Second / time.Duration(perSecond)
}

// Close ends the session.
func (c *Client) Close() { c.close() }

// Granted returns the session time-out that the server granted, which is the
// longest that an instance of ElasticJob can have unless it asked for more than
// a minute.
func (c *Client) Granted() time.Duration { return time.Duration(c.granted.Load()) }

// classed adds the class of store's errors to one of the library's.
func classed(err error) error {
	switch {
	case err == nil, errors.Is(err, zk.ErrNoNode):
		return err
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL):
		return fmt.Errorf("%w: %w", store.ErrPermission, err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// call makes one call at the pace of all, and gives it up when its time is
// over. The library knows nothing of contexts.
func call[T any](ctx context.Context, c *Client, f func() (T, error)) (T, error) {
	var none T
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	if err := c.pace.wait(ctx); err != nil {
		<-c.slots
		return none, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		defer func() { <-c.slots }()
		value, err := f()
		results <- result{value, err}
	}()
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case r := <-results:
		return r.value, classed(r.err)
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	case <-timer.C:
		return none, fmt.Errorf("%w: no answer in %v", store.ErrUnavailable, c.timeout)
	}
}

func (c *Client) get(ctx context.Context, path string) (string, *zk.Stat, error) {
	type reply struct {
		data []byte
		stat *zk.Stat
	}
	r, err := call(ctx, c, func() (reply, error) {
		data, stat, err := c.conn.Get(path)
		return reply{data, stat}, err
	})
	return string(r.data), r.stat, err
}

func (c *Client) children(ctx context.Context, path string) ([]string, *zk.Stat, error) {
	type reply struct {
		names []string
		stat  *zk.Stat
	}
	r, err := call(ctx, c, func() (reply, error) {
		names, stat, err := c.conn.Children(path)
		return reply{names, stat}, err
	})
	slices.Sort(r.names)
	return r.names, r.stat, err
}

func (c *Client) sync(ctx context.Context) error {
	_, err := call(ctx, c, func() (string, error) { return c.conn.Sync(c.root) })
	return err
}

// pace spreads calls evenly.
type pace struct {
	mu    sync.Mutex
	every time.Duration
	next  time.Time
}

// wait returns when the next call may be made. Waits below a millisecond are
// left out and owed, as a timer is not as exact as that.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	pause := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	p.mu.Unlock()
	if pause < time.Millisecond {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silent is a logger. Faults are returned, not logged.
type silent struct{}

func (silent) Printf(string, ...any) {}

// hostsInTurn gives the library the servers as they are written, beginning with
// any. Names are looked up when they are dialled.
type hostsInTurn struct {
	mu    sync.Mutex
	hosts []string
	next  int
	tried int
}

func (h *hostsInTurn) Init(hosts []string) error {
	h.hosts, h.next = hosts, rand.IntN(len(hosts))
	return nil
}

func (h *hostsInTurn) Len() int { return len(h.hosts) }

func (h *hostsInTurn) Next() (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = (h.next + 1) % len(h.hosts)
	h.tried++
	return h.hosts[h.next], h.tried > len(h.hosts)
}

func (h *hostsInTurn) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = 0
}

// dialer connects, with TLS if it is asked for, and takes the session's
// time-out from the server's greeting, which the library keeps for itself.
type dialer struct {
	security *tls.Config
	granted  *atomic.Int64
	mu       sync.Mutex
	last     error
}

// fault returns why no server has greeted this client.
func (d *dialer) fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.security != nil && errors.Is(d.last, io.EOF):
		return fmt.Errorf("%w: the server ended the TLS handshake; "+
			"name its secureClientPort, or leave out tls, ca, cert, key and server_name", d.last)
	case d.last != nil:
		return d.last
	case d.security == nil:
		return errors.New("the connection was made, but the server does not greet: " +
			"it is no ZooKeeper, has no quorum, or takes TLS at this port (parameter ca or tls)")
	}
	return errors.New("the connection was made, but the server does not greet: " +
		"it is no ZooKeeper, or has no quorum")
}

func (d *dialer) dial(_, addr string, timeout time.Duration) (net.Conn, error) {
	timeout = min(timeout, 3*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var c net.Conn
	var err error
	if d.security == nil {
		c, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	} else {
		c, err = (&tls.Dialer{Config: d.security}).DialContext(ctx, "tcp", addr)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last = err; err != nil {
		d.last = fmt.Errorf("%s: %w", addr, err)
		return nil, err
	}
	return &greeted{Conn: c, granted: d.granted}, nil
}

// greeted is a connection whose first bytes, the server's greeting, are looked
// at: its length, the protocol's version, and the time-out in milliseconds.
type greeted struct {
	net.Conn
	granted *atomic.Int64
	head    []byte
}

func (g *greeted) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	const size = 12
	if len(g.head) < size {
		g.head = append(g.head, p[:min(n, size-len(g.head))]...)
		if len(g.head) == size {
			ms := int32(binary.BigEndian.Uint32(g.head[8:]))
			g.granted.Store(int64(time.Duration(ms) * time.Millisecond))
		}
	}
	return n, err
}

// newTLS returns the TLS that the parameters of a URL ask for, nil for none.
func newTLS(params map[string]string) (*tls.Config, error) {
	wanted := false
	for name, value := range params {
		switch name {
		case "tls":
			if value != "true" && value != "false" {
				return nil, errors.New("parameter tls: want true or false")
			}
			wanted = wanted || value == "true"
		case "ca", "cert", "key", "server_name":
			wanted = true
		case "watch":
		default:
			return nil, fmt.Errorf("unknown parameter %.40q; there are tls, ca, cert, key, server_name, "+
				"request_timeout, password_env and password_file", name)
		}
	}
	if !wanted {
		return nil, nil
	}
	if params["tls"] == "false" {
		return nil, errors.New("parameter tls=false contradicts ca, cert, key and server_name")
	}
	config := &tls.Config{ServerName: params["server_name"], MinVersion: tls.VersionTLS12}
	if file := params["ca"]; file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("parameter ca: %w", err)
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("parameter ca: %s holds no certificate in PEM", file)
		}
	}
	if (params["cert"] == "") != (params["key"] == "") {
		return nil, errors.New("parameters cert and key belong together")
	}
	if params["cert"] != "" {
		pair, err := tls.LoadX509KeyPair(params["cert"], params["key"])
		if err != nil {
			return nil, fmt.Errorf("parameters cert and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
