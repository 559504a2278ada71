package consul

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/hashicorp/consul/api"
)

// Get reads one key.
func (s *client) Get(ctx context.Context, key string) (store.Entry, error) {
	if s.running.Closed() {
		return store.Entry{}, store.ErrClosed
	}
	pair, err := s.get(ctx, s.keys.key(key))
	if err != nil {
		return store.Entry{}, s.readError(err)
	}
	return entry(key, pair), nil
}

// get reads one of Consul's keys; its error is not in a class yet, except for
// ErrNotFound.
func (s *client) get(ctx context.Context, key string) (pair *api.KVPair, err error) {
	err = s.ask(ctx, true, func(ctx context.Context, h *host) error {
		var meta *api.QueryMeta
		pair, meta, err = h.api.KV().Get(key, s.query(ctx))
		if err == nil {
			s.saw(meta.LastIndex)
		}
		return err
	})
	if err == nil && pair == nil {
		return nil, store.ErrNotFound
	}
	return pair, err
}

// List reads every key below a prefix, at one index.
func (s *client) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	entries, _, err := s.list(ctx, prefix)
	if err != nil {
		return nil, s.readError(err)
	}
	return entries, nil
}

// Digest returns how many keys are below a prefix and the index of the prefix,
// which every write and delete below it raises. Consul sends the names of the
// keys for it, without their values.
//
// The index of a prefix that is empty, or whose deletes Consul has forgotten,
// is that of the whole store or lower than it was: then digests differ for
// nothing, and never agree for nothing, because a write after that has a higher
// index still.
func (s *client) Digest(ctx context.Context, prefix string) (d store.Digest, err error) {
	if s.running.Closed() {
		return store.Digest{}, store.ErrClosed
	}
	err = s.ask(ctx, true, func(ctx context.Context, h *host) error {
		names, meta, err := h.api.KV().Keys(s.keys.below(prefix), "", s.query(ctx))
		if err != nil {
			return err
		}
		if meta.ResultsFilteredByACLs {
			return fmt.Errorf("%w: the token may not read all keys below %s", store.ErrPermission, s.keys.below(prefix))
		}
		s.saw(meta.LastIndex)
		d = store.Digest{Keys: len(names), Mark: meta.LastIndex}
		return nil
	})
	if err != nil {
		return store.Digest{}, s.readError(err)
	}
	return d, nil
}

// list also returns the index that it has read.
func (s *client) list(ctx context.Context, prefix string) (entries []store.Entry, index uint64, err error) {
	err = s.ask(ctx, true, func(ctx context.Context, h *host) error {
		entries, index, err = s.listFrom(ctx, h, prefix, 0, 0)
		return err
	})
	return entries, index, err
}

// listFrom reads a prefix from one host, as soon as its index is another than a
// given one, or when a time has passed. Without an index it does not wait.
func (s *client) listFrom(ctx context.Context, h *host, prefix string, index uint64, wait time.Duration) ([]store.Entry, uint64, error) {
	q := s.query(ctx)
	q.WaitIndex, q.WaitTime = index, wait
	pairs, meta, err := h.api.KV().List(s.keys.below(prefix), q)
	if err != nil {
		return nil, 0, err
	}
	if meta.ResultsFilteredByACLs {
		return nil, 0, fmt.Errorf("%w: the token may not read all keys below %s", store.ErrPermission, s.keys.below(prefix))
	}
	// Who shows no token is not told that something was left out
	// (maskResultsFilteredByACLs in Consul's agent/consul/rpc.go).
	if len(pairs) == 0 && meta.DefaultACLPolicy == "deny" && s.token.get() == "" {
		if _, _, err := h.api.KV().Get(s.keys.probe(), s.query(ctx)); err != nil {
			return nil, 0, err
		}
	}
	s.saw(meta.LastIndex)
	entries := make([]store.Entry, 0, len(pairs))
	for _, pair := range pairs {
		if name, ours := s.keys.name(pair.Key); ours {
			entries = append(entries, entry(name, pair))
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, meta.LastIndex, nil
}

func entry(name string, pair *api.KVPair) store.Entry {
	return store.Entry{Key: name, Value: pair.Value, Version: store.Version(pair.ModifyIndex), Created: pair.CreateIndex, Owner: pair.Session}
}
