package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/engine"
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

func (s *seam) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	s.node.pass("digest ", prefix)
	d, err := s.Store.(store.Digester).Digest(ctx, prefix)
	s.node.pass("digested ", prefix)
	return d, err
}

func (s *seam) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	key := t.Do[0].Key
	claims := s.node.claims(t)
	if own, ok := t.Session.(*sessionSeam); ok {
		t.Session = own.Session
	}
	s.node.pass("commit ", key)
	r, err := s.Store.Commit(ctx, t)
	if claims && err == nil {
		s.node.w.stopAtClaim(s.node)
	}
	s.node.pass("committed ", key)
	return r, err
}

func (s *seam) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	s.node.pass("session", "")
	ss, err := s.Store.NewSession(ctx, o)
	s.node.pass("session is", "")
	if err != nil {
		return nil, err
	}
	own := &sessionSeam{Session: ss, node: s.node, done: make(chan struct{})}
	go own.watch()
	return own, nil
}

// sessionSeam is a session whose end a process that stands still learns of when it goes on, before or after all else that waits for it. Its deadline is a
// matter of clocks, which need nobody's word.
type sessionSeam struct {
	store.Session
	node *node
	done chan struct{}
}

func (s *sessionSeam) watch() {
	<-s.Session.Done() // closed at the latest when the client is
	s.node.w.gate.pass(context.Background(), s.node, s.node.id+" session over "+s.ID(), func(key string, count uint64) time.Duration {
		return 1 + s.node.w.dice.of(key).nth(count).upTo(min(s.node.w.plan.Latency, time.Millisecond))
	})
	close(s.done)
}

func (s *sessionSeam) Done() <-chan struct{} { return s.done }

func (s *sessionSeam) Err() error {
	select {
	case <-s.done:
		return s.Session.Err()
	default:
		return nil
	}
}

// claims remembers the session of each claim that a transaction makes, if any, so that the entry of its handler can be checked against the session's deadline.
func (n *node) claims(t store.Txn) (found bool) {
	if t.Session == nil {
		return false
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, op := range t.Do {
		job, item, ok := shardOf(op.Key)
		if !ok || op.Kind == store.OpDelete {
			continue
		}
		if r, err := failover.Decode(op.Value); err == nil && r.State == failover.StateRunning && r.Owner != "" {
			n.claimed[claimKey(job, item, r.Fence)] = t.Session
			found = true
		}
	}
	return found
}

func claimKey(job string, item int, fence uint64) string {
	return fmt.Sprintf("%s/%d#%d", job, item, fence)
}

// entered checks, as the first thing in a handler, that the session of its claim had not reached its deadline.
func (n *node) entered(r engine.Run) {
	if n.w.gate.buried(n) {
		return
	}
	n.w.mu.Lock()
	s := n.claimed[claimKey(r.Job, r.Shard, r.Fence)]
	outlives := n.w.told[r.Job].CarryOn > 0
	n.w.mu.Unlock()
	if s == nil || outlives {
		return // it is not claimed, or may go on without a session
	}
	late := time.Since(s.Deadline())
	if late < 0 {
		return
	}
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.w.violate(1, r.Job, r.Shard, "a handler is entered %s after its session's deadline: fire %s attempt %d fence %d, retry %d on %s", late, stamp(r.Fire), r.Attempt, r.Fence, r.Retry, n.id)
}

func (s *seam) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	s.node.pass("watch ", prefix)
	w, err := s.Store.Watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return &view{w, s.node, s.node.watched(prefix)}, nil
}

// watched returns a name that tells a watch from others of the same node: of
// two on the same keys, one may end while the other begins, or both may be shown
// something in one step.
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
		// An update and the end of the watch can come in one step. Which of them
		// the reader sees must make no difference.
		n := v.node
		n.w.gate.pass(ctx, n, n.id+" shown "+v.name, n.latency)
		err = ctx.Err()
	}
	return u, err
}
