package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/elasticjob-go/elastic/store"
)

// commits returns the cases for transactions: each is applied as a whole or not
// at all, and reports which.
func commits() []testCase {
	return []testCase{
		{name: "TXN/AllOrNothing", run: allOrNothing},
		{name: "TXN/CondExists", run: condExists},
		{name: "TXN/CondVersion", run: condVersion},
		{name: "TXN/CondVersionZero", run: condVersionZero},
		{name: "TXN/AllConflicts", run: allConflicts},
		{name: "TXN/CreateDeep", run: createDeep},
		{name: "TXN/OneOfManyWins", run: oneOfManyWins},
		{name: "TXN/ClaimFailover", run: claimFailover},
		{name: "TXN/NoTornRead", run: noTornRead},
		{name: "TXN/DuplicateKey", run: duplicateKey},
		{name: "TXN/NoKind", run: noKind},
		{name: "TXN/EmptyTxn", run: emptyTxn},
		{name: "TXN/MaxOps", run: maxOps},
		{name: "TXN/EphemeralWithoutSession", run: ephemeralWithoutSession},
		{name: "TXN/MixedOwners", run: mixedOwners},
		{name: "TXN/ForeignSession", run: foreignSession},
		{name: "TXN/DeadSession", run: deadSession, needs: []Fault{Expire}},
		{name: "TXN/ClosedSession", run: closedSession},
		{name: "TXN/ParallelOneSession", run: parallelOneSession},
		{name: "TXN/ResultVersions", run: resultVersions},
	}
}

func allOrNothing(t *test) {
	c := t.open()
	c.do(nil, store.Create("set", []byte("old")), store.Create("deleted", nil), store.Create("in the way", nil))
	before := c.list("")
	c.conflicts(store.Txn{Do: []store.Op{
		store.Set("set", []byte("new")),
		store.Create("created", nil),
		store.Create("in the way", nil),
		store.Delete("deleted"),
		store.Create("also created", nil),
	}}, "in the way", store.Present)
	f := t.follow(c, "")
	f.reset()
	if after := c.list(""); !f.equal(before) || len(after) != len(before) {
		t.Fatalf("got %+v, want it untouched: %+v", after, before)
	}
}

func condExists(t *test) {
	c := t.open()
	c.do(nil, store.Create("there", nil))
	c.commit(store.Txn{If: []store.Cond{store.Exists("there")}, Do: []store.Op{store.Create("1", nil)}})
	create := []store.Op{store.Create("2", nil)}
	c.conflicts(store.Txn{If: []store.Cond{store.Exists("missing")}, Do: create}, "missing", store.Absent)
	c.conflicts(store.Txn{
		If: []store.Cond{store.Exists("there"), store.Exists("a/b/miss")},
		Do: create,
	}, "a/b/miss", store.Absent)
	c.wantKeys("", "1", "there")
}

func condVersion(t *test) {
	c := t.open()
	old := c.do(nil, store.Create("k", nil))
	now := c.do(nil, store.Set("k", nil))
	create := []store.Op{store.Create("1", nil)}
	c.conflicts(store.Txn{If: []store.Cond{store.At("k", old)}, Do: create}, "k", store.Changed)
	c.conflicts(store.Txn{If: []store.Cond{store.At("missing", now)}, Do: create}, "missing", store.Absent)
	c.commit(store.Txn{If: []store.Cond{store.At("k", now)}, Do: []store.Op{store.Create("2", nil)}})
	c.commit(store.Txn{If: []store.Cond{store.At("k", now)}, Do: []store.Op{store.Delete("k")}}) // a check is no write
	c.wantKeys("", "2")
}

// A caller that never read the key must not pass for one that knows its
// version.
func condVersionZero(t *test) {
	c := t.open()
	c.do(nil, store.Create("k", nil))
	c.conflicts(store.Txn{
		If: []store.Cond{store.At("k", 0)},
		Do: []store.Op{store.Set("k", []byte("v"))},
	}, "k", store.Changed)
	c.conflicts(store.Txn{If: []store.Cond{store.At("missing", 0)}}, "missing", store.Absent)
	c.wantValue("k", "")
}

// A conflict names no key whose condition held. Where it says that it names
// all, the rest of the transaction is applied when it is sent again.
func allConflicts(t *test) {
	c := t.open()
	old := c.do(nil, store.Create("changed", nil), store.Create("present", nil), store.Create("right", nil))
	right := c.get("right").Version
	c.do(nil, store.Set("changed", nil))
	wrong := map[string]store.ConflictReason{
		"missing": store.Absent, "changed": store.Changed, "present": store.Present, "never": store.Absent,
	}
	all := store.Txn{
		If: []store.Cond{store.At("right", right), store.Exists("missing"), store.At("changed", old)},
		Do: []store.Op{
			store.Set("changed", nil), store.Create("new", nil), store.Create("present", nil), store.Delete("never"),
		},
	}
	_, err := c.Commit(t.ctx(), all)
	t.want("transaction", err, store.ErrConflict)
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v, want a *store.ConflictError", err)
	}
	told := append([]store.Conflict{{Key: conflict.Key, Reason: conflict.Reason}}, conflict.Others...)
	if conflict.Key == "" {
		told = told[1:]
	}
	seen := map[string]bool{}
	for _, f := range told {
		if seen[f.Key] {
			t.Fatalf("%q is named twice: %+v", f.Key, told)
		}
		seen[f.Key] = true
		if want, ok := wrong[f.Key]; !ok || f.Reason != want && f.Reason != store.Unclear {
			t.Fatalf("%q %s: want one of %v", f.Key, f.Reason, wrong)
		}
		if !conflict.Has(f.Key) {
			t.Fatalf("Has(%q) is false for %+v", f.Key, told)
		}
	}
	if conflict.All && len(told) != len(wrong) {
		t.Fatalf("the error says that it names all keys, and names %+v, want %v", told, wrong)
	}
	if conflict.Has("right") || conflict.Has("new") || conflict.Has("") {
		t.Fatalf("Has is true for a key that did not fail: %+v", told)
	}
	c.commit(store.Txn{If: all.If[:1], Do: all.Do[1:2]})
	c.wantKeys("", "changed", "new", "present", "right")
}

func createDeep(t *test) {
	clients := []*client{t.open(), t.open()}
	t.all(8, func(i int) error {
		_, err := clients[i%2].Commit(
			t.ctx(), store.Txn{Do: []store.Op{store.Create(fmt.Sprintf("a/b/c/d/e/f/g/%d", i), nil)}},
		)
		return err
	})
	if got := len(clients[0].list("a/b/c")); got != 8 || len(clients[0].list("")) != 8 {
		t.Fatalf("got %d keys, and %q in all, want 8", got, keys(clients[0].list("")))
	}
}

func oneOfManyWins(t *test) {
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	version := clients[0].do(nil, store.Create("k", nil))
	for round := range 10 {
		var wins atomic.Int64
		var won atomic.Uint64
		t.all(16, func(i int) error {
			r, err := clients[i%4].Commit(t.ctx(), store.Txn{
				If: []store.Cond{store.At("k", version)}, Do: []store.Op{store.Set("k", []byte("the same from all"))},
			})
			if errors.Is(err, store.ErrConflict) {
				return nil
			}
			if err == nil {
				wins.Add(1)
				won.Store(uint64(r.Versions[0]))
			}
			return err
		})
		if wins.Load() != 1 {
			t.Fatalf("round %d: %d of 16 that compared with the same version won, want 1", round, wins.Load())
		}
		version = store.Version(won.Load())
	}
}

func claimFailover(t *test) {
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	var sessions []store.Session
	for _, c := range clients {
		sessions = append(sessions, c.session(0))
	}
	version := clients[0].do(nil, store.Create("fail/x", []byte("up for grabs")))
	var wins atomic.Int64
	t.all(16, func(i int) error {
		_, err := clients[i%4].Commit(t.ctx(), store.Txn{
			Session: sessions[i%4],
			If:      []store.Cond{store.At("fail/x", version)},
			Do:      []store.Op{store.Delete("fail/x"), store.CreateEphemeral(fmt.Sprintf("run/%d", i), nil)},
		})
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		wins.Add(1)
		return err
	})
	if run := keys(clients[0].list("run")); wins.Load() != 1 || len(run) != 1 {
		t.Fatalf("%d of 16 won and %q run, want one", wins.Load(), run)
	}
	clients[0].wantAbsent("fail/x")
}

// Two keys are always written together. A reader of the first and then the
// second must not find the second older. A List that is one point in time must
// find them equal.
func noTornRead(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/a", []byte("0")), store.Create("d/b", []byte("0")))
	var finished atomic.Bool
	t.all(2, func(i int) error {
		if i == 0 {
			defer finished.Store(true)
			for n := range 200 {
				value := []byte(strconv.Itoa(n))
				both := []store.Op{store.Set("d/a", value), store.Set("d/b", value)}
				if _, err := writer.Commit(t.ctx(), store.Txn{Do: both}); err != nil {
					return err
				}
			}
			return nil
		}
		for !finished.Load() {
			a, err := reader.Get(t.ctx(), "d/a")
			if err != nil {
				return err
			}
			b, err := reader.Get(t.ctx(), "d/b")
			if err != nil {
				return err
			}
			if first, second := number(a), number(b); second < first {
				return fmt.Errorf("read a=%d, then b=%d: only one write of the transaction is there", first, second)
			}
			both, err := reader.List(t.ctx(), "d")
			if err != nil {
				return err
			}
			if t.caps.AtomicList && number(both[0]) != number(both[1]) {
				return fmt.Errorf("listed a=%d and b=%d with AtomicList", number(both[0]), number(both[1]))
			}
		}
		return nil
	})
}

func number(e store.Entry) int {
	n, _ := strconv.Atoi(string(e.Value))
	return n
}

func duplicateKey(t *test) {
	c := t.open()
	version := c.do(nil, store.Create("k", nil))
	for _, txn := range []store.Txn{
		{Do: []store.Op{store.Create("new", nil), store.Set("new", nil)}},
		{Do: []store.Op{store.Set("k", nil), store.Delete("k")}},
		{If: []store.Cond{store.Exists("k"), store.At("k", version)}, Do: []store.Op{store.Create("new", nil)}},
	} {
		_, err := c.Commit(t.ctx(), txn)
		t.want(text(txn), err, store.ErrInvalid)
	}
	c.commit(store.Txn{If: []store.Cond{store.At("k", version)}, Do: []store.Op{store.Delete("k")}})
	c.wantKeys("")
}

func noKind(t *test) {
	c := t.open()
	_, err := c.Commit(t.ctx(), store.Txn{Do: []store.Op{{Key: "k"}}})
	t.want("write without a kind", err, store.ErrInvalid)
	c.wantKeys("")
}

func emptyTxn(t *test) {
	c := t.open()
	version := c.do(nil, store.Create("k", nil))
	ss := c.session(0)
	c.commit(store.Txn{})
	c.commit(store.Txn{Session: ss})
	c.commit(store.Txn{Session: ss, If: []store.Cond{store.At("k", version)}})
	c.conflicts(store.Txn{Session: ss, If: []store.Cond{store.At("k", version+1)}}, "k", store.Changed)
	c.conflicts(store.Txn{If: []store.Cond{store.Exists("missing")}}, "missing", store.Absent)
	if got := c.get("k").Version; got != version {
		t.Fatalf("conditions alone changed version %d to %d", version, got)
	}
}

func maxOps(t *test) {
	c := t.open()
	if t.caps.MaxOps < 32 {
		t.Fatalf("Caps.MaxOps is %d, want at least 32", t.caps.MaxOps)
	}
	ss := c.session(0)
	var txn store.Txn
	txn.Session = ss // what a session adds to a transaction is the driver's affair
	for i := range t.caps.MaxOps {
		txn.Do = append(txn.Do, store.Create(fmt.Sprintf("d/%03d", i), nil))
	}
	r := c.commit(txn)
	for i, op := range txn.Do {
		txn.If = append(txn.If, store.At(op.Key, r.Versions[i]))
		txn.Do[i] = store.Set(op.Key, []byte("v"))
	}
	c.commit(txn) // a condition on a key that is written counts once

	txn.Do = append(txn.Do, store.Create("one more", nil))
	_, err := c.Commit(t.ctx(), txn)
	t.want("one key more than MaxOps", err, store.ErrTooLarge)
	c.wantAbsent("one more")
	if got := len(c.list("d")); got != t.caps.MaxOps {
		t.Fatalf("got %d keys, want %d", got, t.caps.MaxOps)
	}
	t.wantAlive("after a transaction that was too large", ss)
}

func ephemeralWithoutSession(t *test) {
	c := t.open()
	_, err := c.Commit(t.ctx(), store.Txn{Do: []store.Op{store.CreateEphemeral("k", nil)}})
	t.want("ephemeral key without a session", err, store.ErrInvalid)
	c.wantAbsent("k")
}

func mixedOwners(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	a.do(ss, store.CreateEphemeral("d/dies", nil), store.Create("d/stays", nil))
	if err := ss.Close(t.ctx()); err != nil {
		t.Fatalf("close session: %v", err)
	}
	b.wantKeys("d", "d/stays")
}

func foreignSession(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	_, err := b.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Create("k", nil)}})
	t.want("session of another store", err, store.ErrInvalid)
	b.wantAbsent("k")
	a.do(ss, store.Create("k", nil))
}

// The driver may know that the session is over, or learn it from the server:
// nothing may be written either way.
func deadSession(t *test) {
	c := t.open()
	ss := c.session(0)
	t.expire(ss)
	for i := range 3 {
		for _, op := range []store.Op{
			store.Create(fmt.Sprintf("l/%d", i), nil), store.CreateEphemeral(fmt.Sprintf("e/%d", i), nil),
		} {
			txn := store.Txn{Session: ss, Do: []store.Op{op}}
			_, err := c.Commit(t.ctx(), txn)
			t.want("in a dead session: "+text(txn), err, store.ErrSessionLost)
		}
	}
	t.wantDone("after a commit was refused", ss, slack, store.ErrSessionLost)
	c.wantKeys("")
	c.do(c.session(0), store.Create("k", nil))
}

func closedSession(t *test) {
	c := t.open()
	ss := c.session(0)
	if err := ss.Close(t.ctx()); err != nil {
		t.Fatalf("close session: %v", err)
	}
	_, err := c.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Create("k", nil)}})
	t.want("closed session", err, store.ErrSessionLost, store.ErrClosed)
	c.wantAbsent("k")
}

// The guard that a driver adds to the transactions of a session must not make
// them conflict with each other.
func parallelOneSession(t *test) {
	c := t.open()
	ss := c.session(0)
	t.all(64, func(i int) error {
		key := fmt.Sprintf("d/%02d", i)
		r, err := c.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
		for n := 0; err == nil && n < 3; n++ {
			same := []store.Cond{store.At(key, r.Versions[0])}
			r, err = c.Commit(t.ctx(), store.Txn{Session: ss, If: same, Do: []store.Op{store.Set(key, nil)}})
		}
		return err
	})
	if got := len(c.list("d")); got != 64 {
		t.Fatalf("got %d keys, want 64", got)
	}
}

func resultVersions(t *test) {
	c := t.open()
	ss := c.session(0)
	r := c.commit(store.Txn{
		Session: ss,
		Do:      []store.Op{store.Create("a", nil), store.CreateEphemeral("b", nil), store.Create("c", nil)},
	})
	r = c.commit(store.Txn{
		Session: ss,
		If:      []store.Cond{store.At("c", r.Versions[2]), store.At("b", r.Versions[1]), store.At("a", r.Versions[0])},
		Do:      []store.Op{store.Delete("c"), store.Set("b", nil), store.Set("a", nil)},
	})
	if r.Versions[0] != 0 {
		t.Fatalf("a Delete gave version %d, want 0", r.Versions[0])
	}
	if b, a := c.get("b").Version, c.get("a").Version; b != r.Versions[1] || a != r.Versions[2] {
		t.Fatalf("read versions b=%d a=%d, want those of the result, %v", b, a, r.Versions)
	}
}
