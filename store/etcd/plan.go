package etcd

import (
	"github.com/elasticjob-go/elastic/store"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// plan is a transaction in etcd's terms: one compare for each key it names,
// with the guard first if it has a session; the writes; and a read of each
// compared key, which etcd does instead of the writes if a compare fails. So a
// conflict tells its reason in the same round trip.
type plan struct {
	request *pb.TxnRequest
	checks  []check // the compares without the guard
	do      []store.Op
	keys    []string // etcd's keys of do
}

// check is a condition on one key.
type check struct {
	key     string // the store's
	want    wanted
	version store.Version
}

type wanted uint8

const (
	absent     wanted = iota
	present           // whatever its version
	at                // at a version
	impossible        // present and absent: the transaction both needs the key and creates it
)

func (s *client) plan(t store.Txn, session *session) *plan {
	p := &plan{do: t.Do, keys: make([]string, len(t.Do))}
	n := len(t.If) + len(t.Do) + 1
	p.request = &pb.TxnRequest{Compare: make([]*pb.Compare, 0, n), Success: make([]*pb.RequestOp, 0, len(t.Do)), Failure: make([]*pb.RequestOp, 0, n)}
	var lease int64
	if session != nil {
		lease = session.lease
		p.compare([]byte(session.marker), at, 0)
	}
	p.checks = checks(t)
	for _, c := range p.checks {
		p.compare([]byte(s.keys.key(c.key)), c.want, c.version)
	}
	for i, op := range t.Do {
		p.keys[i] = s.keys.key(op.Key)
		p.write(op, []byte(p.keys[i]), lease)
	}
	return p
}

// checks returns one check for each key: the conditions of a transaction in
// their order, then what its writes presume of the keys that no condition
// names.
func checks(t store.Txn) []check {
	all := make([]check, 0, len(t.If)+len(t.Do))
	for _, c := range t.If {
		want := at
		if c.Version == 0 {
			want = present
		}
		all = append(all, check{c.Key, want, c.Version})
	}
	var index map[string]int
	if len(t.If) > 0 {
		index = make(map[string]int, len(t.If))
		for i, c := range t.If {
			index[c.Key] = i
		}
	}
	for _, op := range t.Do {
		creates := op.Kind == store.OpCreate || op.Kind == store.OpCreateEphemeral
		i, named := index[op.Key]
		switch {
		case named && creates:
			all[i].want = impossible
		case named: // to be present follows from either condition
		case creates:
			all = append(all, check{op.Key, absent, 0})
		default:
			all = append(all, check{op.Key, present, 0})
		}
	}
	return all
}

// compare adds a check. An absent key has the revisions 0, and no revision is
// negative.
func (p *plan) compare(key []byte, want wanted, version store.Version) {
	c := &pb.Compare{Key: key, Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL}
	switch want {
	case absent:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: 0}
	case present:
		c.Result = pb.Compare_GREATER
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: 0}
	case at:
		c.Target = pb.Compare_MOD
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: int64(version)}
	case impossible:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: -1}
	}
	p.request.Compare = append(p.request.Compare, c)
	p.request.Failure = append(p.request.Failure, readRevisions(key))
}

// guard has the transaction commit only while the marker of its session is at a
// version.
func (p *plan) guard(version int64) {
	p.request.Compare[0].TargetUnion = &pb.Compare_ModRevision{ModRevision: version}
}

// write adds a write. A plain Put would take an ephemeral key away from its
// owner's lease, and so make it a lasting one; hence IgnoreLease.
func (p *plan) write(op store.Op, key []byte, lease int64) {
	var r pb.RequestOp
	switch op.Kind {
	case store.OpCreate:
		r.Request = &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: op.Value}}
	case store.OpCreateEphemeral:
		r.Request = &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: op.Value, Lease: lease}}
	case store.OpSet:
		r.Request = &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: op.Value, IgnoreLease: true}}
	case store.OpDelete:
		r.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}
	}
	p.request.Success = append(p.request.Success, &r)
}

// readRevisions reads a key without its value.
func readRevisions(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key, KeysOnly: true}}}
}

// result returns the result of a transaction that was applied. All its writes
// have the reply's revision.
func (p *plan) result(reply *pb.TxnResponse) store.Result {
	r := store.Result{Versions: make([]store.Version, len(p.do))}
	for i, op := range p.do {
		if op.Kind != store.OpDelete {
			r.Versions[i] = store.Version(reply.Header.Revision)
		}
	}
	return r
}

// marker returns the version of the session's marker in the reply to a
// transaction that was not applied, and 0 if the session is gone.
func (p *plan) marker(reply *pb.TxnResponse) int64 {
	mod, _ := revisions(reply, 0)
	return mod
}

// conflict returns what a reply says of the checks that failed, and nil if they
// all held, so that it was the guard.
func (p *plan) conflict(reply *pb.TxnResponse) error {
	offset := len(reply.Responses) - len(p.checks)
	var failed []store.Conflict
	for i, c := range p.checks {
		mod, _ := revisions(reply, i+offset)
		var reason store.ConflictReason
		switch {
		case c.want == absent && mod != 0, c.want == impossible && mod != 0:
			reason = store.Present
		case c.want != absent && mod == 0:
			reason = store.Absent
		case c.want == at && mod != int64(c.version):
			reason = store.Changed
		default:
			continue
		}
		failed = append(failed, store.Conflict{Key: c.key, Reason: reason})
	}
	if len(failed) == 0 {
		return nil
	}
	return store.NewConflictError(failed)
}

// refutes reports whether a later read of the written keys, in their order,
// shows that the transaction was not applied. It would have been after the
// revision sent: then every key that it sets or creates has been written since,
// and every key that it deletes is absent or was created since. One key that is
// older refutes it all. That the keys look as after the transaction proves
// nothing: another client may write the same.
func (p *plan) refutes(reply *pb.TxnResponse, sent int64) bool {
	for i, op := range p.do {
		mod, created := revisions(reply, i)
		switch {
		case mod == 0:
		case op.Kind == store.OpSet && mod <= sent, op.Kind != store.OpSet && created <= sent:
			return true
		}
	}
	return false
}

// revisions returns those of the key that the i-th operation of a reply has
// read, 0 if it is absent.
func revisions(reply *pb.TxnResponse, i int) (mod, created int64) {
	kvs := reply.Responses[i].GetResponseRange().GetKvs()
	if len(kvs) == 0 {
		return 0, 0
	}
	return kvs[0].ModRevision, kvs[0].CreateRevision
}
