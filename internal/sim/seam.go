package sim

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
)

// seam is a node's store: what passes through it waits at the gate, on its way there and on its way back. In between it is the
// memory store that does what it is asked, at one moment.
type seam struct {
	store.Store
	node *node
}

func (s *seam) Get(ctx context.Context, key string) (store.Entry, error) {
	s.node.pass("get ", key)
	e, err := s.Store.Get(ctx, key)
	s.node.pass("got ", key)
	return e, err
}

func (s *seam) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	s.node.pass("list ", prefix)
	entries, err := s.Store.List(ctx, prefix)
	s.node.pass("listed ", prefix)
	return entries, err
}

func (s *seam) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	key := t.Do[0].Key
	s.node.pass("commit ", key)
	r, err := s.Store.Commit(ctx, t)
	s.node.pass("committed ", key)
	return r, err
}

func (s *seam) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	s.node.pass("session", "")
	ss, err := s.Store.NewSession(ctx, o)
	s.node.pass("session is", "")
	return ss, err
}

func (s *seam) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	s.node.pass("watch ", prefix)
	w, err := s.Store.Watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return &view{w, s.node, s.node.watched(prefix)}, nil
}

// watched returns what tells a watch from others of the same node: of two on the same keys, one may end while the other begins, or both may be
// shown something in one step.
func (n *node) watched(prefix string) string {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.watches[prefix]++; n.watches[prefix] > 1 {
		return fmt.Sprint(prefix, " ", n.watches[prefix])
	}
	return prefix
}

// view is a watch whose updates wait at the gate.
type view struct {
	store.Watch
	node *node
	name string
}

func (v *view) Next(ctx context.Context) (store.Update, error) {
	u, err := v.Watch.Next(ctx)
	if err == nil {
		// An update and the end of the watch can come in one step. Which the reader sees must make no difference.
		n := v.node
		n.w.gate.pass(ctx, n, n.id+" shown "+v.name, n.latency)
		err = ctx.Err()
	}
	return u, err
}
