package zookeeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// stat is the part of a node's state that the driver uses.
type stat struct {
	created int64 // the transaction that created it
	version int32 // of its data
	owner   int64 // the session that it dies with, 0 for none
}

// found is the result of a read: the keys that there are, which
// directories, and where there is nothing.
type found struct {
	entries     []store.Entry
	directories []string
	absent      []string
}

// Get reads one key.
func (s *client) Get(ctx context.Context, key string) (store.Entry, error) {
	var got found
	err := s.read(ctx, func(w *wire) (err error) {
		got, err = s.visit(ctx, w, []ask{barrier(s.keys.root)}, []string{s.keys.key(key)}, nil)
		return err
	})
	if err != nil {
		return store.Entry{}, err
	}
	if len(got.entries) == 0 {
		return store.Entry{}, store.ErrNotFound
	}
	return got.entries[0], nil
}

// List reads everything below a prefix.
func (s *client) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	var got found
	err := s.read(ctx, func(w *wire) (err error) {
		got, err = s.visit(ctx, w, []ask{barrier(s.keys.root)}, []string{s.keys.directory(prefix)}, nil)
		return err
	})
	return got.sorted(), err
}

// read runs f on a connection, and again on another if that breaks. Its errors
// have their class.
func (s *client) read(ctx context.Context, f func(w *wire) error) error {
	if err := s.tryRead(ctx, f); err != nil {
		return s.readError(err)
	}
	return nil
}

// tryRead is read with the reason alone as its error.
func (s *client) tryRead(ctx context.Context, f func(w *wire) error) error {
	for {
		_, w, err := s.connection(ctx)
		if err == nil {
			err = f(w)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errBroken) && ctx.Err() == nil && !s.running.Closed():
		default:
			return err
		}
	}
}

// visit reads what is at paths, each a key's or a directory's, and in those
// directories, and so on. ZooKeeper reads what the server at hand has; a
// barrier first brings that up to date.
//
// With known, a set of paths, the server gives notice of what changes there
// from now on, once for each; what is in directories is left out if it is in
// the set, and what is found is added to it, what is absent removed. The paths
// themselves are read anyway.
func (s *client) visit(ctx context.Context, w *wire, first []ask, paths []string, known map[string]bool) (found, error) {
	var all found
	notice := known != nil
	for asks := first; len(paths) > 0; asks = nil {
		before := len(asks)
		for _, path := range paths {
			if s.keys.isDirectory(path) {
				asks = append(asks, childrenOf(path, notice))
			} else {
				asks = append(asks, dataOf(path, notice))
			}
		}
		replies, err := w.ask(ctx, asks...)
		if err != nil {
			return found{}, err
		}
		for _, r := range replies[:before] {
			if r.err != nil && !errors.Is(r.err, zk.ErrNoNode) {
				return found{}, r.err
			}
		}
		if paths, err = all.add(s.keys, paths, replies[before:], known); err != nil {
			return found{}, err
		}
	}
	return all, nil
}

// add takes in the replies to the question what is at paths, and returns the
// paths in the directories among them.
func (f *found) add(keys keyspace, paths []string, replies []reply, known map[string]bool) (next []string, err error) {
	// What has gone is forgotten first: it may be back by the time that its
	// directory was read.
	for i, path := range paths {
		switch {
		case errors.Is(replies[i].err, zk.ErrNoNode):
			f.absent = append(f.absent, path)
			delete(known, path)
		case replies[i].err != nil:
			return nil, fmt.Errorf("read %s: %w", path, replies[i].err)
		case known != nil:
			known[path] = true
		}
	}
	for i, path := range paths {
		if replies[i].err != nil {
			continue
		}
		p := body{b: replies[i].body}
		if key, isKey := keys.name(path); isKey {
			value := p.bytes()
			f.entries = append(f.entries, entry(key, value, p.stat()))
		} else if keys.isDirectory(path) {
			f.directories = append(f.directories, path)
			for _, name := range p.texts() {
				below := path + "/" + name
				if _, isKey := keys.name(below); (isKey || keys.isDirectory(below)) && !known[below] {
					next = append(next, below)
				}
			}
		}
		if p.short {
			return nil, fmt.Errorf("read %s: an answer that is too short", path)
		}
	}
	return next, nil
}

// sorted returns the keys in their order.
func (f *found) sorted() []store.Entry {
	slices.SortFunc(f.entries, func(a, b store.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return f.entries
}

func entry(key string, value []byte, s stat) store.Entry {
	e := store.Entry{Key: key, Value: value, Version: version(s.version), Created: uint64(s.created)}
	if s.owner != 0 {
		e.Owner = sessionID(s.owner)
	}
	return e
}

// version is never zero, as a node's first is.
func version(n int32) store.Version { return store.Version(uint32(n)) + 1 }

// sessionID is a session as ZooKeeper's own tools print it, without the 0x.
func sessionID(id int64) string { return strconv.FormatUint(uint64(id), 16) }
