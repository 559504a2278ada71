package consul

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/hashicorp/consul/api"
)

// plan is a transaction in Consul's terms: the guard first if it has a session,
// then for each key what must hold for it, then the writes. Consul does all
// operations and applies them if none has failed; it tells of all that have.
type plan struct {
	ops     api.KVTxnOps
	keys    []string // the store's key of each operation, empty for the guard
	guarded bool
	first   int // index in ops of the first write
	do      []store.Op
	nonce   uint64
}

// The guard, and the two halves of "exists and does not": the operations that
// check, by what their failure means.
const (
	checkAt      = api.KVCheckIndex
	checkPresent = api.KVGet
	checkAbsent  = api.KVCheckNotExists
)

func (s *client) plan(t store.Txn, session *session) *plan {
	p := &plan{do: t.Do, nonce: newNonce()}
	if session != nil {
		p.guarded = true
		p.add("", s.op(checkAt, session.marker))
	}
	named := make(map[string]bool, len(t.If))
	for _, c := range t.If {
		named[c.Key] = true
		op := s.op(checkPresent, s.keys.key(c.Key))
		if c.Version != 0 {
			op.Verb, op.Index = checkAt, expected(c.Version)
		}
		p.add(c.Key, op)
	}
	for _, op := range t.Do {
		switch creates := op.Kind == store.OpCreate || op.Kind == store.OpCreateEphemeral; {
		case creates:
			p.add(op.Key, s.op(checkAbsent, s.keys.key(op.Key)))
		case !named[op.Key]: // to be present follows from either condition
			p.add(op.Key, s.op(checkPresent, s.keys.key(op.Key)))
		}
	}
	p.first = len(p.ops)
	for _, op := range t.Do {
		if creates := op.Kind == store.OpCreate || op.Kind == store.OpCreateEphemeral; creates && named[op.Key] {
			continue // the checks contradict each other, and there are no more than two operations a key
		}
		w := s.op(api.KVSet, s.keys.key(op.Key))
		w.Value, w.Flags = op.Value, p.nonce
		switch op.Kind {
		case store.OpCreateEphemeral:
			w.Verb, w.Session = api.KVLock, session.Identity
		case store.OpDelete:
			w.Verb, w.Flags = api.KVDelete, 0
		}
		p.add(op.Key, w)
	}
	return p
}

// newNonce returns what makes a write differ from any other. Consul does
// nothing for a write that changes nothing, so that of two who compare and set
// the same value both would win, and no client that waits for a change would
// hear of it. JSON of other makes carries 53 bits.
func newNonce() uint64 { return rand.Uint64()>>11 | 1 }

func (s *client) op(verb api.KVOp, key string) *api.KVTxnOp {
	return &api.KVTxnOp{Verb: verb, Key: key, Namespace: s.namespace, Partition: s.partition}
}

func (p *plan) add(key string, op *api.KVTxnOp) {
	p.ops = append(p.ops, op)
	p.keys = append(p.keys, key)
}

// expected is the index that a condition asks for. No key has the index 1,
// which is one of Raft's own.
func expected(v store.Version) uint64 {
	if v > 1<<53 {
		return 1
	}
	return uint64(v)
}

// guard has the transaction commit only while the marker of its session is at
// an index.
func (p *plan) guard(index uint64) { p.ops[0].Index = index }

// overhead is the size of an operation in JSON besides its key and value, at
// most.
const overhead = 220

// size returns the greatest size of the transaction as the body of a request.
func (p *plan) size() int {
	n := 2
	for _, op := range p.ops {
		n += overhead + len(op.Key) + base64.StdEncoding.EncodedLen(len(op.Value)) + len(op.Session) + len(op.Namespace) + len(op.Partition)
	}
	return n
}

// index returns the one at which a transaction was applied, 0 if it wrote
// nothing that is still there. What was written has it, and nothing that was
// only looked at has one that is as high.
func index(results []*api.KVPair) uint64 {
	var last uint64
	for _, r := range results {
		last = max(last, r.ModifyIndex)
	}
	return last
}

// filtered reports whether the answer to a transaction that only reads lacks
// results that the token may not see: a key that must be there is then not
// looked at, and was not said to be missing.
func (p *plan) filtered(results []*api.KVPair) bool {
	return p.first == len(p.ops) && len(results) < len(p.ops)
}

// result returns the result of a transaction that was applied at an index.
func (p *plan) result(index uint64) store.Result {
	r := store.Result{Versions: make([]store.Version, len(p.do))}
	for i, op := range p.do {
		if op.Kind != store.OpDelete {
			r.Versions[i] = store.Version(index)
		}
	}
	return r
}

// fault is why a transaction was not applied.
type fault uint8

const (
	otherFault fault = iota // see the error
	conflict                // see the error
	guardMoved              // the marker is at another index
	sessionGone
	lockDelay // the session that had locked the key has just ended
	denied
)

// fault finds out of all operations that have failed why the transaction was
// not applied. It was not, whatever the text says. A conflict names all keys
// that failed: Consul goes on after the first.
func (p *plan) fault(errs api.TxnErrors) (fault, error) {
	worst, why := otherFault, error(&statusError{409, "the transaction failed, and no operation of it"})
	rank := -1
	var conflicts []store.Conflict
	for _, e := range errs {
		f, err := p.faultOf(e)
		if r := f.rank(); r > rank {
			worst, why, rank = f, err, r
		}
		var c *store.ConflictError
		if errors.As(err, &c) {
			conflicts = addConflict(conflicts, store.Conflict{Key: c.Key, Reason: c.Reason})
		}
	}
	if worst == conflict {
		why = store.NewConflictError(conflicts)
	}
	return worst, why
}

// addConflict adds a key once: a check of it and a write to it may both have
// failed.
func addConflict(all []store.Conflict, c store.Conflict) []store.Conflict {
	if slices.ContainsFunc(all, func(o store.Conflict) bool { return o.Key == c.Key }) {
		return all
	}
	return append(all, c)
}

// rank orders what counts: a session that is over explains all else, and a
// conflict holds whether the guard has moved or not.
func (f fault) rank() int {
	return map[fault]int{otherFault: 0, lockDelay: 1, guardMoved: 2, conflict: 3, sessionGone: 4, denied: 5}[f]
}

// faultOf says what the failure of one operation means. The texts are those of
// kvs_endpoint.go, state/kvs.go and state/txn.go in Consul's agent/consul.
func (p *plan) faultOf(e *api.TxnError) (fault, error) {
	err := &statusError{409, e.What}
	if e.OpIndex < 0 || e.OpIndex >= len(p.ops) {
		return otherFault, err
	}
	op, key := p.ops[e.OpIndex], p.keys[e.OpIndex]
	absent := strings.Contains(e.What, "doesn't exist")
	switch says := func(text string) bool { return strings.Contains(e.What, text) }; {
	case says("Permission denied"), says("ACL not found"):
		return denied, err
	case key == "" && p.guarded && absent, says("invalid session"):
		return sessionGone, err
	case key == "" && p.guarded && says("failed index check"):
		return guardMoved, err
	case says("due to lock delay"):
		return lockDelay, err
	case op.Verb == checkAbsent && says("exists"):
		return conflict, &store.ConflictError{Key: key, Reason: store.Present}
	case op.Verb == checkPresent && absent, op.Verb == checkAt && absent:
		return conflict, &store.ConflictError{Key: key, Reason: store.Absent}
	case op.Verb == checkAt && says("failed index check"):
		return conflict, &store.ConflictError{Key: key, Reason: store.Changed}
	case says("lock is already held"): // after a check that the key is absent, which has failed as well
		return conflict, &store.ConflictError{Key: key, Reason: store.Present}
	}
	return otherFault, err
}

// evidence returns what reads the written keys, in their order.
func (s *client) evidence(p *plan) api.KVTxnOps {
	var ops api.KVTxnOps
	for _, op := range p.do {
		ops = append(ops, s.op(api.KVGetOrEmpty, s.keys.key(op.Key)))
	}
	return ops
}

// verdict says of a sealed transaction what a later read of the written keys
// shows. applied is the index at which it was, if a key bears its nonce.
// refuted is true if one is older than the transaction, which was sent when
// Consul was at an index: then every key that it sets or creates would have
// been written since, and every key that it deletes would be absent or have
// been created since. Otherwise it is unknown: others may have written all of
// it over.
func (p *plan) verdict(now []*api.KVPair, sent uint64) (applied uint64, refuted bool) {
	if len(now) != len(p.do) {
		return 0, false
	}
	for i, op := range p.do {
		k := now[i]
		switch {
		case op.Kind != store.OpDelete && k.ModifyIndex > sent && k.Flags == p.nonce:
			return k.ModifyIndex, false
		case k.ModifyIndex == 0: // absent
		case op.Kind == store.OpSet && k.ModifyIndex <= sent, op.Kind != store.OpSet && k.CreateIndex <= sent:
			refuted = true
		}
	}
	return 0, refuted
}
