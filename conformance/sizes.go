package conformance

import (
	"bytes"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
)

// sizes returns the cases for limits: values within Caps work, and larger ones
// are refused without harm.
func sizes() []testCase {
	return []testCase{
		{name: "SIZ/128KiB", run: size128},
		{name: "SIZ/ValueAtLimit", run: valueAtLimit},
		{name: "SIZ/TxnAtLimit", run: txnAtLimit},
		{name: "SIZ/LargeList", run: largeList},
	}
}

func pattern(n, seed int) []byte {
	value := make([]byte, n)
	for i := range value {
		value[i] = byte(i*7 + i>>8 + seed)
	}
	return value
}

func (c *client) wantBytes(key string, want []byte) {
	c.t.Helper()
	if got := c.get(key); !bytes.Equal(got.Value, want) {
		c.t.Fatalf("get %q: got %d bytes, want %d, or others", key, len(got.Value), len(want))
	}
}

func size128(t *test) {
	c := t.open()
	f := t.follow(c, "d")
	value := pattern(128<<10, 1)
	c.do(nil, store.Create("d/k", value))
	c.wantBytes("d/k", value)
	f.untilEqual(c.list("d"))
}

// ZooKeeper cuts the connection on which too much is sent, and then every
// session and watch on it suffers.
func valueAtLimit(t *test) {
	c := t.open()
	ss := c.session(0)
	if t.caps.MaxValue < store.SmallestValue {
		t.Errorf(
			"a value may have %d bytes, want at least %d: documents of the scheduler need them",
			t.caps.MaxValue, store.SmallestValue,
		)
	}
	value := pattern(t.caps.MaxValue, 2)
	c.do(ss, store.Create("k", value))
	c.wantBytes("k", value)
	for _, op := range []store.Op{
		store.Set("k", append(value, 0)), store.Create("new", pattern(2*t.caps.MaxValue+1, 3)),
	} {
		_, err := c.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{op}})
		t.want(fmt.Sprintf("%d bytes of %d", len(op.Value), t.caps.MaxValue), err, store.ErrTooLarge)
	}
	c.wantAbsent("new")
	c.wantBytes("k", value)
	t.wantAlive("after values that were too large", ss)
	c.do(ss, store.Set("k", nil))
}

func txnAtLimit(t *test) {
	c := t.open()
	ss := c.session(0)
	txn := store.Txn{Session: ss}
	for left, i := t.caps.MaxTxn, 0; left > 0; i++ {
		key := fmt.Sprintf("d/%03d", i)
		size := min(left-len(key), t.caps.MaxValue, t.caps.MaxTxn/16)
		if rest := left - len(key) - size; rest < len(key) { // too little for one more key
			size = min(left-len(key), t.caps.MaxValue)
		}
		txn.Do = append(txn.Do, store.Create(key, pattern(size, i)))
		left -= len(key) + size
	}
	if txn.Bytes() != t.caps.MaxTxn {
		t.Fatalf("the case made a transaction of %d bytes, want %d", txn.Bytes(), t.caps.MaxTxn)
	}
	c.commit(txn)
	for _, op := range txn.Do {
		c.wantBytes(op.Key, op.Value)
	}

	for i, op := range txn.Do {
		txn.Do[i] = store.Set(op.Key, op.Value)
	}
	txn.If = []store.Cond{store.Exists("d/000")}
	_, err := c.Commit(t.ctx(), txn)
	t.want("a condition more than MaxTxn holds", err, store.ErrTooLarge)
	t.wantAlive("after a transaction that was too large", ss)
	c.do(ss, store.Delete("d/000"))
}

func largeList(t *test) {
	c := t.open()
	const n = 40
	for i := range n {
		c.do(nil, store.Create(fmt.Sprintf("d/%02d", i), pattern(128<<10, i)))
	}
	got := c.list("d")
	if len(got) != n {
		t.Fatalf("listed %d keys, want %d", len(got), n)
	}
	for i, e := range got {
		if !bytes.Equal(e.Value, pattern(128<<10, i)) {
			t.Fatalf("%s: got %d bytes, or others", e.Key, len(e.Value))
		}
	}
	t.follow(c, "d").untilEqual(got)
}
