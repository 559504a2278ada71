package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/dial"
	"github.com/elasticjob-go/elastic/store/internal/remote"
	"github.com/go-zookeeper/zk"
)

func init() {
	store.Register("zookeeper", store.Driver{
		Open:   func(ctx context.Context, c store.Config) (store.Store, error) { return open(ctx, c) },
		Params: append([]string{"watch"}, remote.TLSParams...),
	})
}

// defaultPort is the one that ZooKeeper's own configuration has.
const defaultPort = "2181"

// open connects to the servers of a URL and returns once one has answered a read.
func open(ctx context.Context, c store.Config) (*driver, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("%w: the URL names no host", store.ErrInvalid)
	}
	layout := newLayout(c.Namespace)
	if len(layout.root) > maxNamespace {
		return nil, fmt.Errorf("%w: the namespace has %d bytes when escaped, at most %d are allowed", store.ErrInvalid, len(layout.root), maxNamespace)
	}
	h := ensemble{hosts: remote.Addresses(c.Hosts, defaultPort), dialer: &dial.Dialer{}}
	switch {
	case strings.Contains(c.User, ":"):
		return nil, fmt.Errorf("%w: the user has a colon", store.ErrInvalid)
	case c.User != "":
		h.auth = func() string { return c.User + ":" + c.CurrentPassword() }
	}
	classic := false
	switch how := c.Params["watch"]; how {
	case "classic":
		classic = true
	case "", "persistent":
	default:
		return nil, fmt.Errorf("%w: parameter watch=%q: want classic or persistent", store.ErrInvalid, how)
	}
	var err error
	if h.security, err = remote.TLS(c.Params); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	minTTL, maxTTL, err := bounds(ctx, h)
	if err != nil {
		h.dialer.Close()
		return nil, openError(ctx, h.hosts, err)
	}
	s := newStore(h, layout, capsOf(minTTL, maxTTL))
	if c.RequestTimeout > 0 {
		s.timeout = c.RequestTimeout
	}
	s.feed.classic = classic
	// A wrong password shows only when something is read that it does not allow; and an old server when it is asked for what
	// it lacks.
	err = s.read(ctx, func(w *wire) error {
		replies, err := w.ask(ctx, syncing(layout.root), childrenOf(layout.root, false))
		for _, r := range replies {
			if err == nil && !errors.Is(r.err, zk.ErrNoNode) {
				err = r.err
			}
		}
		if err != nil || classic {
			return err
		}
		if err := w.askOne(ctx, arming(layout.markers())); err != nil {
			return err
		}
		return w.askOne(ctx, disarming(layout.markers()))
	})
	if err != nil {
		s.Close(ctx)
		return nil, openError(ctx, h.hosts, err)
	}
	return s, nil
}

func openError(ctx context.Context, hosts []string, err error) error {
	class := store.ErrUnavailable
	for _, c := range []error{store.ErrPermission, store.ErrInvalid} {
		if errors.Is(err, c) {
			class = c
		}
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = errors.Join(err, ctx.Err())
	}
	return fmt.Errorf("%w: zookeeper at %s: %w", class, strings.Join(hosts, ", "), err)
}

// bounds returns the shortest and the longest TTL that the servers grant, by asking for shorter and longer ones. It asks
// all of them at once, again and again, until one has answered or ctx ends.
func bounds(ctx context.Context, h ensemble) (shortest, longest time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		shortest, longest time.Duration
		err               error
	}
	answers := make(chan answer, len(h.hosts))
	for _, host := range h.hosts {
		go func() {
			var a answer
			patience := greetPatience
			for pause := (&backoff.Backoff{Next: 20 * time.Millisecond, Most: 500 * time.Millisecond}); ; pause.Wait(ctx) {
				var err error
				if a.shortest, err = h.tryTTL(ctx, host, time.Millisecond, patience); err == nil {
					a.longest, err = h.tryTTL(ctx, host, math.MaxInt32*time.Millisecond, patience)
				}
				patience *= 2
				if err == nil {
					a.err = nil
					break
				}
				if ctx.Err() == nil || a.err == nil {
					a.err = fmt.Errorf("%s: %w", host, err)
				}
				if ctx.Err() != nil {
					break
				}
			}
			answers <- a
		}()
	}
	var faults []error
	for range h.hosts {
		a := <-answers
		if a.err == nil {
			return a.shortest, a.longest, nil
		}
		faults = append(faults, a.err)
	}
	return 0, 0, errors.Join(faults...)
}

// greetPatience is the time that the first attempt to greet a server has. One
// that takes the connection and never answers is left for another of the host's
// addresses; each attempt has twice the time of the one before, for those that
// are slow.
const greetPatience = time.Second

// tryTTL begins a session with a server, ends it, and returns the TTL that it would have had.
func (h ensemble) tryTTL(ctx context.Context, host string, ttl, patience time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := h.dial(ctx, host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	g, err := shake(conn, 0, "", ttl)
	switch {
	case err != nil:
		return 0, fmt.Errorf("no answer to the handshake: %w", err)
	case g.ttl <= 0:
		return 0, fmt.Errorf("a TTL of %v is offered: this is no ZooKeeper server", g.ttl)
	}
	return g.ttl, nil
}
