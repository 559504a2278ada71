package zookeeper

import (
	"errors"
	"math"
	"slices"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// plan is a transaction in ZooKeeper's terms: the guard if it has a session,
// then the conditions, then the writes. A condition on a key that is set or
// deleted is part of that write.
type plan struct {
	ops     []any    // for zk.Conn.Multi
	keys    []string // the store's key of each, empty for the guard
	guarded bool
	do      []store.Op
	first   int      // index in ops of the first write
	parents []string // of what is created
}

func (s *client) plan(t store.Txn, session *session) *plan {
	p := &plan{do: t.Do}
	if session != nil {
		p.guarded = true
		p.add("", &zk.CheckVersionRequest{Path: session.marker})
	}
	written := make(map[string]bool, len(t.Do))
	for _, op := range t.Do {
		written[op.Key] = op.Kind == store.OpSet || op.Kind == store.OpDelete
	}
	at := map[string]int32{}
	for _, c := range t.If {
		if written[c.Key] {
			at[c.Key] = expected(c)
			continue
		}
		p.add(c.Key, &zk.CheckVersionRequest{Path: s.keys.key(c.Key), Version: expected(c)})
	}
	p.first = len(p.ops)
	for _, op := range t.Do {
		path, value := s.keys.key(op.Key), op.Value
		version, named := at[op.Key]
		if !named {
			version = -1
		}
		switch op.Kind {
		case store.OpCreate, store.OpCreateEphemeral:
			create := &zk.CreateRequest{Path: path, Data: value, Acl: s.hosts.acl()}
			if op.Kind == store.OpCreateEphemeral {
				create.Flags = zk.FlagEphemeral
			}
			p.add(op.Key, create)
			if dir := parent(path); !slices.Contains(p.parents, dir) {
				p.parents = append(p.parents, dir)
			}
		case store.OpSet:
			p.add(op.Key, &zk.SetDataRequest{Path: path, Data: value, Version: version})
		case store.OpDelete:
			p.add(op.Key, &zk.DeleteRequest{Path: path, Version: version})
		}
	}
	return p
}

func (p *plan) add(key string, op any) {
	p.ops = append(p.ops, op)
	p.keys = append(p.keys, key)
}

// bytes returns roughly how long the request is.
func (p *plan) bytes() (n int) {
	const each = 60
	for _, op := range p.ops {
		n += each
		switch op := op.(type) {
		case *zk.CheckVersionRequest:
			n += len(op.Path)
		case *zk.CreateRequest:
			n += len(op.Path) + len(op.Data)
		case *zk.SetDataRequest:
			n += len(op.Path) + len(op.Data)
		case *zk.DeleteRequest:
			n += len(op.Path)
		}
	}
	return n
}

// expected is the version that a condition asks for in ZooKeeper's terms: -1 is
// any, and -2 is none.
func expected(c store.Cond) int32 {
	switch {
	case c.Version == 0:
		return -1
	case c.Version > math.MaxUint32: // -1 is not among the versions of nodes
		return -2
	}
	return int32(uint32(c.Version - 1))
}

// guard has the transaction commit only while the marker of its session is at a
// version.
func (p *plan) guard(version int32) {
	p.ops[0] = &zk.CheckVersionRequest{Path: p.ops[0].(*zk.CheckVersionRequest).Path, Version: version}
}

// result returns the result of a transaction that was applied.
func (p *plan) result(answers []zk.MultiResponse) store.Result {
	r := store.Result{Versions: make([]store.Version, len(p.do))}
	for i, op := range p.do {
		switch op.Kind {
		case store.OpCreate, store.OpCreateEphemeral:
			r.Versions[i] = version(0)
		case store.OpSet:
			r.Versions[i] = version(answers[p.first+i].Stat.Version)
		}
	}
	return r
}

// fault is why a transaction was not applied.
type fault uint8

const (
	noFault      fault = iota
	conflict           // see the error
	guardMoved         // the marker has another version
	guardGone          // the session is over
	parentAbsent       // a directory is missing
)

// fault finds the first operation that failed. The server answers those before
// it as if they had been applied, and those after it with an error of no
// meaning.
func (p *plan) fault(answers []zk.MultiResponse) (f fault, op int, err error) {
	for i, a := range answers {
		_, creates := p.ops[i].(*zk.CreateRequest)
		guards := i == 0 && p.guarded
		switch {
		case errors.Is(a.Error, zk.ErrNoNode) && guards:
			return guardGone, i, nil
		case errors.Is(a.Error, zk.ErrBadVersion) && guards:
			return guardMoved, i, nil
		case errors.Is(a.Error, zk.ErrNoNode) && creates:
			return parentAbsent, i, nil
		case errors.Is(a.Error, zk.ErrNoNode):
			return conflict, i, &store.ConflictError{Key: p.keys[i], Reason: store.Absent}
		case errors.Is(a.Error, zk.ErrBadVersion):
			return conflict, i, &store.ConflictError{Key: p.keys[i], Reason: store.Changed}
		case errors.Is(a.Error, zk.ErrNodeExists):
			return conflict, i, &store.ConflictError{Key: p.keys[i], Reason: store.Present}
		case a.Error != nil: // an answer all the same, and so nothing was done
			err := named(a.Error)
			class := refusal(err)
			if class == nil {
				class = store.ErrUnavailable
			}
			return conflict, i, failed(class, err)
		}
	}
	return noFault, 0, nil
}
