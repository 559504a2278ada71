package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/dial"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	"github.com/go-zookeeper/zk"
)

func init() {
	store.Register("zookeeper", store.Driver{
		Open:   func(ctx context.Context, c store.Config) (store.Store, error) { return open(ctx, c) },
		Params: append([]string{"watch"}, endpoint.TLSParams...),
	})
}

// defaultPort is the one that ZooKeeper's own configuration has.
const defaultPort = "2181"

// open connects to the servers of a URL and returns once one has answered a
// read.
func open(ctx context.Context, c store.Config) (*client, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("%w: the URL names no host", store.ErrInvalid)
	}
	keys := newKeyspace(c.Namespace)
	if len(keys.root) > maxNamespace {
		return nil, fmt.Errorf("%w: the namespace has %d bytes when escaped, at most %d are allowed", store.ErrInvalid, len(keys.root), maxNamespace)
	}
	h := ensemble{hosts: endpoint.Addresses(c.Hosts, defaultPort), dialer: &dial.Dialer{}}
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
	if h.security, err = endpoint.TLS(c.Params); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	ttls, err := bounds(ctx, h)
	if err != nil {
		h.dialer.Close()
		return nil, openError(ctx, h.hosts, err)
	}
	s := newStore(h, keys, capsOf(ttls.shortest, ttls.longest))
	if c.RequestTimeout > 0 {
		s.timeout = c.RequestTimeout
	}
	s.feed.classic = classic
	// A wrong password shows only when something is read that it does not
	// allow; and an old server when it is asked for what it lacks.
	err = s.tryRead(ctx, func(w *wire) error {
		replies, err := w.ask(ctx, syncing(keys.root), childrenOf(keys.root, false))
		for _, r := range replies {
			if err == nil && !errors.Is(r.err, zk.ErrNoNode) {
				err = r.err
			}
		}
		if err != nil || classic {
			return err
		}
		if err := w.askOne(ctx, arming(keys.markers())); err != nil {
			return err
		}
		return w.askOne(ctx, disarming(keys.markers()))
	})
	if err != nil {
		s.Close(ctx)
		return nil, openError(ctx, h.hosts, err)
	}
	return s, nil
}

func openError(ctx context.Context, hosts []string, err error) error {
	class := store.ErrUnavailable
	if c := refusal(err); c == store.ErrPermission || c == store.ErrInvalid {
		class = c
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = late(ctx, err)
	}
	return fmt.Errorf("%w: zookeeper at %s: %w", class, strings.Join(hosts, ", "), err)
}
