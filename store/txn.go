package store

import "fmt"

// Txn is a set of conditions and a set of writes. Every write has a
// precondition of its own besides, so there is no unconditional write.
//
// No key may appear twice in If, or twice in Do. A key that appears in both, as
// in At(k, v) with Set(k, …), is the usual compare-and-swap and counts once
// against Caps.MaxOps.
type Txn struct {
	// Session, if set, makes the store refuse the transaction once it has ended
	// that session, whatever a client library, a proxy or a kernel buffer sends
	// again later. Only transactions with a session have outcomes that are
	// settled when Commit returns. It must be a session of the same Store.
	Session Session

	If []Cond
	Do []Op
}

// Cond is a condition on one key.
type Cond struct {
	Key     string
	Version Version // zero: the key exists, whatever its version
}

// Exists holds when the key is present.
func Exists(key string) Cond { return Cond{Key: key} }

// At holds when the last write to the key was v. With the zero Version it is
// never true: use Exists.
func At(key string, v Version) Cond {
	if v == 0 {
		v = noVersion
	}
	return Cond{Key: key, Version: v}
}

// noVersion is no write's version, so that At(key, 0), the mistake of a caller
// that never read the key, is refused by every backend instead of meaning
// Exists.
const noVersion = ^Version(0)

// Op is one write.
type Op struct {
	Kind  OpKind
	Key   string
	Value []byte // the store keeps a copy
}

// OpKind is the kind of an Op.
type OpKind uint8

// The four writes.
const (
	OpCreate          OpKind = iota + 1 // conflicts if the key is present
	OpCreateEphemeral                   // the same; the key dies with Txn.Session, which must be set
	OpSet                               // conflicts if the key is absent; an ephemeral key stays its owner's; always a new Version
	OpDelete                            // conflicts if the key is absent
)

// Create makes a lasting key; it conflicts if the key is present.
func Create(key string, value []byte) Op { return Op{OpCreate, key, value} }

// CreateEphemeral makes a key that dies with the transaction's session; it
// conflicts if the key is present.
func CreateEphemeral(key string, value []byte) Op { return Op{OpCreateEphemeral, key, value} }

// Set overwrites a key; it conflicts if the key is absent. Writing the value
// that is already there is a write like any other. An ephemeral key stays
// ephemeral and its owner's, whichever session sets it.
func Set(key string, value []byte) Op { return Op{OpSet, key, value} }

// Delete removes a key; it conflicts if the key is absent.
func Delete(key string) Op { return Op{OpDelete, key, nil} }

// Result reports a commit.
type Result struct {
	// Versions holds, for each element of Txn.Do, the version it gave its key;
	// zero for a Delete. They can be used in At at once, without a read.
	Versions []Version
}

// Keys returns the number of distinct keys that t names: what Caps.MaxOps
// bounds.
func (t Txn) Keys() int {
	n := len(t.If) + len(t.Do)
	if len(t.If) == 0 || len(t.Do) == 0 {
		return n
	}
	written := make(map[string]bool, len(t.Do))
	for _, op := range t.Do {
		written[op.Key] = true
	}
	for _, c := range t.If {
		if written[c.Key] {
			n--
		}
	}
	return n
}

// Bytes returns the size of all keys and values of t: what Caps.MaxTxn bounds.
func (t Txn) Bytes() int {
	n := 0
	for _, c := range t.If {
		n += len(c.Key)
	}
	for _, op := range t.Do {
		n += len(op.Key) + len(op.Value)
	}
	return n
}

// check refuses what no backend could mean, before anything is sent.
func (t Txn) check(caps Caps) error {
	seen := make(map[string]bool, len(t.If)+len(t.Do))
	for _, c := range t.If {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
		if seen[c.Key] {
			return fmt.Errorf("%w: two conditions on %q", ErrInvalid, c.Key)
		}
		seen[c.Key] = true
	}
	clear(seen)
	for _, op := range t.Do {
		if err := CheckKey(op.Key); err != nil {
			return err
		}
		if seen[op.Key] {
			return fmt.Errorf("%w: two writes to %q", ErrInvalid, op.Key)
		}
		seen[op.Key] = true
		if op.Kind < OpCreate || op.Kind > OpDelete {
			return fmt.Errorf("%w: write to %q has no kind: use Create, CreateEphemeral, Set or Delete", ErrInvalid, op.Key)
		}
		if op.Kind == OpCreateEphemeral && t.Session == nil {
			return fmt.Errorf("%w: ephemeral key %q needs a session", ErrInvalid, op.Key)
		}
		if len(op.Value) > caps.MaxValue {
			return fmt.Errorf("%w: value of %q has %d bytes, %s takes %d", ErrTooLarge, op.Key, len(op.Value), caps.Driver, caps.MaxValue)
		}
	}
	if n := t.Keys(); n > caps.MaxOps {
		return fmt.Errorf("%w: the transaction names %d keys, %s takes %d", ErrTooLarge, n, caps.Driver, caps.MaxOps)
	}
	if n := t.Bytes(); n > caps.MaxTxn {
		return fmt.Errorf("%w: the transaction has %d bytes, %s takes %d", ErrTooLarge, n, caps.Driver, caps.MaxTxn)
	}
	return nil
}
