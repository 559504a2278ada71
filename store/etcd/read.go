package etcd

import (
	"context"
	"errors"
	"strconv"

	"github.com/elasticjob-go/elastic/store"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// page is how many keys one request of a list asks for: a few messages for a
// namespace of ten thousand keys, and never one so large that the server is
// busy with nothing else.
const page = 4000

// Get reads one key. etcd's reads are linearizable unless one asks for less.
func (s *client) Get(ctx context.Context, key string) (store.Entry, error) {
	if s.running.Closed() {
		return store.Entry{}, store.ErrClosed
	}
	reply, err := s.client.Get(ctx, s.keys.key(key))
	if err != nil {
		return store.Entry{}, s.readError(ctx, err)
	}
	s.saw(reply.Header.Revision)
	if len(reply.Kvs) == 0 {
		return store.Entry{}, store.ErrNotFound
	}
	return entry(key, reply.Kvs[0]), nil
}

// List reads every key below a prefix, at one revision.
func (s *client) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	entries, _, err := s.list(ctx, prefix)
	return entries, err
}

// Digest returns how many keys are below a prefix and the highest revision at
// which one of them was written. A later write has a higher one, and a delete
// makes them fewer unless another key was created since: so equal digests mean
// equal content. The server looks at all keys and sends one, without its value.
func (s *client) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	if s.running.Closed() {
		return store.Digest{}, store.ErrClosed
	}
	from, to := s.keys.below(prefix)
	newest := clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend)
	reply, err := s.client.Get(ctx, from, clientv3.WithRange(to), newest, clientv3.WithLimit(1), clientv3.WithKeysOnly())
	if err != nil {
		return store.Digest{}, s.readError(ctx, err)
	}
	s.saw(reply.Header.Revision)
	d := store.Digest{Keys: int(reply.Count)}
	if len(reply.Kvs) > 0 {
		d.Mark = uint64(reply.Kvs[0].ModRevision)
	}
	return d, nil
}

// list also returns the revision that it has read.
func (s *client) list(ctx context.Context, prefix string) ([]store.Entry, int64, error) {
	for {
		entries, revision, err := s.pages(ctx, prefix)
		if errors.Is(err, rpctypes.ErrCompacted) {
			continue // the history was cut off below us between two pages
		}
		if err != nil {
			return nil, 0, s.readError(ctx, err)
		}
		s.saw(revision)
		return entries, revision, nil
	}
}

// pages reads the first page at whatever revision there is, and the others at
// the same.
func (s *client) pages(ctx context.Context, prefix string) (entries []store.Entry, revision int64, err error) {
	from, to := s.keys.below(prefix)
	for {
		reply, err := s.client.Get(ctx, from, clientv3.WithRange(to), clientv3.WithLimit(int64(s.page)), clientv3.WithRev(revision))
		if err != nil {
			return nil, 0, err
		}
		if revision == 0 {
			revision = reply.Header.Revision
		}
		for _, kv := range reply.Kvs {
			if name, ours := s.keys.name(kv.Key); ours {
				entries = append(entries, entry(name, kv))
			}
		}
		if !reply.More {
			return entries, revision, nil
		}
		from = string(reply.Kvs[len(reply.Kvs)-1].Key) + "\x00"
	}
}

func entry(name string, kv *mvccpb.KeyValue) store.Entry {
	e := store.Entry{Key: name, Value: kv.Value, Version: store.Version(kv.ModRevision), Created: uint64(kv.CreateRevision)}
	if kv.Lease != 0 {
		e.Owner = sessionID(kv.Lease)
	}
	return e
}

// sessionID is a lease as etcdctl prints it.
func sessionID(lease int64) string { return strconv.FormatInt(lease, 16) }
