package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// watches returns the cases for watches: a watch can skip states, but it never
// ends on a wrong one. follower.check checks each Update.
func watches() []testCase {
	return []testCase{
		{name: "WAT/FirstIsReset", run: firstIsReset},
		{name: "WAT/EmptyPrefix", run: emptyPrefix},
		{name: "WAT/Converges", run: converges},
		{name: "WAT/OrderedPerKey", run: orderedPerKey},
		{name: "WAT/Reliable", run: reliable},
		{name: "WAT/AtomicCommit", run: atomicCommit},
		{name: "WAT/NoGapAtStart", run: noGapAtStart},
		{name: "WAT/DeleteRecreateFast", run: deleteRecreateFast},
		{name: "WAT/DeleteIsDelete", run: deleteIsDelete},
		{name: "WAT/LastDelete", run: lastDelete},
		{name: "WAT/PrefixBoundary", run: watchPrefixBoundary},
		{name: "WAT/DeepKeys", run: deepKeys},
		{name: "WAT/SlowConsumer", run: slowConsumer},
		{name: "WAT/NoWakeOnForeignWrites", run: noWakeOnForeignWrites},
		{name: "WAT/AsOf", run: asOf},
	}
}

func firstIsReset(t *test) {
	c := t.open()
	ss := c.session(0)
	c.do(
		ss,
		store.Create("d/a", []byte("1")),
		store.CreateEphemeral("d/b/c", []byte("2")),
		store.Create("other/k", nil),
	)
	for _, prefix := range []string{"d", "d/b", ""} {
		f := t.follow(c, prefix)
		if u := f.reset(); !u.Reset || !f.equal(c.list(prefix)) {
			t.Fatalf("prefix %q: got %s, want a Reset with %q", prefix, show(u), keys(c.list(prefix)))
		}
	}
}

func emptyPrefix(t *test) {
	c := t.open()
	for _, prefix := range []string{"never/there", "d", ""} {
		f := t.follow(c, prefix)
		if u := f.reset(); !u.Reset || len(u.Entries) != 0 {
			t.Fatalf("prefix %q: got %s, want an empty Reset", prefix, show(u))
		}
		key := "d/k"
		if prefix == "never/there" {
			key = "never/there/k"
		}
		c.do(nil, store.Create(key, nil))
		f.untilEqual(c.list(prefix))
		c.do(nil, store.Delete(key))
		f.untilEqual(nil)
	}
}

// churn writes at random to keys d/0 … d/49 and e/0 … e/9 until it has made n
// transactions.
func churn(t *test, c *client, n int) error {
	known, rand := map[string]bool{}, t.rand(c.number)
	for i := 0; i < n; i++ {
		var txn store.Txn
		value := []byte(strconv.Itoa(i))
		for _, k := range rand.Perm(60)[:1+rand.IntN(3)] {
			key := fmt.Sprintf("d/%d", k)
			if k >= 50 {
				key = fmt.Sprintf("e/%d", k-50)
			}
			switch {
			case !known[key]:
				txn.Do = append(txn.Do, store.Create(key, value))
			case rand.IntN(3) == 0:
				txn.Do = append(txn.Do, store.Delete(key))
			default:
				txn.Do = append(txn.Do, store.Set(key, value))
			}
		}
		_, err := c.Commit(t.ctx(), txn)
		var conflict *store.ConflictError
		switch {
		case err == nil:
			for _, op := range txn.Do {
				known[op.Key] = op.Kind != store.OpDelete
			}
		case !errors.As(err, &conflict):
			return err
		case conflict.Key != "":
			known[conflict.Key] = !known[conflict.Key] // another writer was faster
		default:
			clear(known)
		}
	}
	return nil
}

func converges(t *test) {
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	followers := []*follower{
		t.follow(clients[0], "d"), t.follow(clients[1], "e"), t.follow(clients[2], ""), t.follow(clients[3], "d"),
	}
	var writing atomic.Int32
	writing.Store(4)
	t.all(8, func(i int) error {
		if i < 4 {
			defer writing.Add(-1)
			return churn(t, clients[i], 100)
		}
		for f := followers[i-4]; writing.Load() > 0; {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_, err := f.next(ctx)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			if i == 7 {
				time.Sleep(5 * time.Millisecond) // a slow reader
			}
		}
		return nil
	})
	for _, f := range followers {
		f.untilEqual(clients[0].list(f.prefix))
	}
}

// A key is written in bursts, and the reader catches up after each.
func orderedPerKey(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/k", []byte("0")))
	f := t.follow(reader, "d")
	last := number(f.reset().Entries[0])
	for n := 0; n < 300; {
		for range 1 + n%4 {
			n++
			writer.do(nil, store.Set("d/k", []byte(strconv.Itoa(n))))
		}
		for last < n {
			u, err := f.next(t.ctx())
			t.want("next", err, nil)
			for _, e := range u.Entries {
				if number(e) < last || number(e) == last && !u.Reset {
					t.Fatalf("told %d after %d", number(e), last)
				}
				last = number(e)
			}
		}
	}
	if u, err := f.next(t.within(50 * time.Millisecond)); err == nil && !u.Reset && len(u.Entries) > 0 {
		t.Fatalf("told %s when all was told", show(u))
	}
}

func reliable(t *test) {
	const n = 200
	writer, reader := t.open(), t.open()
	f := t.follow(reader, "d")
	f.reset()
	t.all(4, func(i int) error {
		for k := i; k < n; k += 4 {
			op := store.Create(fmt.Sprintf("d/%03d", k), nil)
			if _, err := writer.Commit(t.ctx(), store.Txn{Do: []store.Op{op}}); err != nil {
				return err
			}
		}
		return nil
	})
	f.untilEqual(writer.list("d"))
	if len(f.state) != n {
		t.Fatalf("saw %d keys, want %d", len(f.state), n)
	}
}

func atomicCommit(t *test) {
	const n = 200
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/a", []byte("0")), store.Create("d/x/b", []byte("0")))
	f := t.follow(reader, "d")
	f.reset()
	var seen atomic.Int32
	t.all(2, func(i int) error {
		if i == 0 {
			for n := range n {
				for end := time.Now().Add(patience); int(seen.Load()) < n-3 && time.Now().Before(end); {
					time.Sleep(50 * time.Microsecond) // a reader that is far behind is told few of the commits
				}
				value := []byte(strconv.Itoa(n + 1))
				both := []store.Op{store.Set("d/a", value), store.Set("d/x/b", value)}
				if _, err := writer.Commit(t.ctx(), store.Txn{Do: both}); err != nil {
					return err
				}
			}
			return nil
		}
		for {
			u, err := f.next(t.ctx())
			if err != nil {
				return err
			}
			a, b := number(f.state["d/a"]), number(f.state["d/x/b"])
			if t.caps.AtomicWatch && a != b && !(u.Reset && !t.caps.AtomicList) {
				return fmt.Errorf("saw a=%d and b=%d with AtomicWatch: %s", a, b, show(u))
			}
			seen.Store(int32(min(a, b)))
			if a == n && b == n {
				return nil
			}
		}
	})
}

// Watches start while a writer creates one key after the other. No key may be
// missing between the first content of a watch and the changes that follow.
func noGapAtStart(t *test) {
	writer, reader := t.open(), t.open()
	var stop atomic.Bool
	starts := func() error {
		defer stop.Store(true)
		for range 25 {
			w, err := reader.Watch(t.ctx(), "d")
			if err != nil {
				return err
			}
			defer w.Close()
			f := &follower{t: t, prefix: "d", watch: w, state: map[string]store.Entry{}}
			if _, err := f.next(t.ctx()); err != nil {
				return err
			}
			want, err := reader.List(t.ctx(), "d")
			if err != nil {
				return err
			}
			ctx := t.within(patience / 4)
			for slices.ContainsFunc(want, func(e store.Entry) bool { return f.state[e.Key].Version != e.Version }) {
				if _, err := f.next(ctx); err != nil {
					return fmt.Errorf(
						"the watch has %d keys of %d that were there after its first update: %w",
						len(f.state), len(want), err,
					)
				}
			}
		}
		return nil
	}
	t.all(2, func(i int) error {
		if i == 0 {
			return starts()
		}
		for n := 0; n < 5000 && !stop.Load(); n++ {
			op := store.Create(fmt.Sprintf("d/%04d", n), nil)
			if _, err := writer.Commit(t.ctx(), store.Txn{Do: []store.Op{op}}); err != nil {
				return err
			}
		}
		return nil
	})
}

// A key that is deleted and created again before the reader looks is another
// key: its Created is greater.
func deleteRecreateFast(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/k", []byte("0")))
	f := t.follow(reader, "d")
	f.reset()
	for i := range 30 {
		writer.do(nil, store.Delete("d/k"))
		writer.do(nil, store.Create("d/k", []byte("the same")))
		want := writer.get("d/k")
		if i%3 == 2 {
			writer.do(nil, store.Delete("d/k"))
			f.untilEqual(nil)
			writer.do(nil, store.Create("d/k", []byte("the same")))
			want = writer.get("d/k")
		}
		f.untilEqual([]store.Entry{want})
	}
}

func deleteIsDelete(t *test) {
	c := t.open()
	f := t.follow(c, "d")
	c.do(nil, store.Create("d/a", []byte("v")), store.Create("d/b", []byte("v")))
	f.untilEqual(c.list("d"))
	c.do(nil, store.Set("d/a", nil))
	f.untilEqual(c.list("d")) // empty, and there
	c.do(nil, store.Delete("d/b"))
	f.untilEqual(c.list("d"))
	if !slices.Equal(f.keys(), []string{"d/a"}) {
		t.Fatalf("got %q, want d/a", f.keys())
	}
}

// The delete of the last key leaves a prefix that lists as nothing: some
// backends then tell nothing.
func lastDelete(t *test) {
	writer, reader := t.open(), t.open()
	for i := range 10 {
		writer.do(nil, store.Create("d/k", nil))
		f := t.follow(reader, "d")
		f.reset()
		if i%2 == 1 {
			writer.do(nil, store.Set("d/k", []byte("v")))
			f.untilEqual(writer.list("d"))
		}
		writer.do(nil, store.Delete("d/k"))
		f.untilEqual(nil)
	}
}

func watchPrefixBoundary(t *test) {
	c := t.open()
	c.do(nil, store.Create("a/keepX/before", nil), store.Create("a/keep-/before", nil))
	f, itself := t.follow(c, "a/keep"), t.follow(c, "a/other")
	if u := f.reset(); len(u.Entries) != 0 {
		t.Fatalf("got %s, want nothing", show(u))
	}
	itself.reset()
	c.do(
		nil,
		store.Create("a/keepX/after", nil),
		store.Create("a/keeX", nil),
		store.Create("a/kee", nil),
		store.Create("b/a/keep/k", nil),
	)
	c.do(nil, store.Create("a/other", nil))
	c.do(nil, store.Delete("a/keepX/before"))
	c.do(nil, store.Create("a/keep/in", nil))
	f.untilEqual(c.list("a/keep")) // follower.check refuses what is not below the prefix
	if !slices.Equal(f.keys(), []string{"a/keep/in"}) {
		t.Fatalf("got %q, want a/keep/in", f.keys())
	}
	if u, err := itself.next(t.within(50 * time.Millisecond)); err == nil && len(u.Entries) > 0 {
		t.Fatalf("a watch of a/other saw %s", show(u))
	}
}

func deepKeys(t *test) {
	c := t.open()
	fs := []*follower{t.follow(c, ""), t.follow(c, "a"), t.follow(c, "a/b/c/d")}
	for _, f := range fs {
		f.reset()
	}
	c.do(nil, store.Create("a/b/c/d/e/f/g/h", []byte("v")))
	for _, f := range fs {
		f.untilEqual(c.list(""))
		if !slices.Equal(f.keys(), []string{"a/b/c/d/e/f/g/h"}) {
			t.Fatalf("prefix %q: got %q: parents are no keys", f.prefix, f.keys())
		}
	}
	c.do(nil, store.Delete("a/b/c/d/e/f/g/h"))
	for _, f := range fs {
		f.untilEqual(nil)
	}
}

// A reader that pauses during many writes gets the last state, and not each
// step.
func slowConsumer(t *test) {
	const names, writes, few = 20, 500, 10
	a, b := t.open(), t.open()
	ss := b.session(0)
	for k := range names {
		a.do(nil, store.Create(fmt.Sprintf("d/%02d", k), []byte("0")))
	}
	slow, quick := t.follow(b, "d"), t.follow(b, "d")
	slow.reset()
	for n := range writes {
		key := fmt.Sprintf("d/%02d", n%names)
		version := a.do(nil, store.Set(key, []byte(strconv.Itoa(n))))
		quick.until("a watch beside the slow one is told", func() bool { return quick.state[key].Version == version })
	}
	t.wantAlive("beside a slow reader", ss)
	slept := slow.updates
	slow.untilEqual(a.list("d"))
	if woken := slow.updates - slept; woken > few {
		t.Fatalf("the reader was told %d updates after it had slept, want one or a few", woken)
	}
}

func noWakeOnForeignWrites(t *test) {
	c := t.open()
	c.do(nil, store.Create("d/k", nil), store.Create("dd/k", nil), store.Create("other/k", nil))
	f, empty := t.follow(c, "d"), t.follow(c, "empty")
	f.untilEqual(c.list("d"))
	empty.reset()
	for i := range 100 {
		c.do(nil, store.Set("other/k", nil), store.Set("dd/k", nil), store.Create(fmt.Sprintf("new/%d", i), nil))
	}
	for _, f := range []*follower{f, empty} {
		if u, err := f.next(t.within(100 * time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("prefix %q: got %s, %v, want nothing", f.prefix, show(u), err)
		}
	}
}

// AsOf is a time at which the store held the state: not before the write that
// it shows was begun.
func asOf(t *test) {
	writer, reader := t.open(), t.open()
	f := t.follow(reader, "d")
	f.reset()
	writer.do(nil, store.Create("d/k", nil))
	f.untilEqual(writer.list("d"))
	for range 20 {
		begun := time.Now()
		version := writer.do(nil, store.Set("d/k", nil))
		f.until("the write is seen", func() bool { return f.state["d/k"].Version == version })
		if f.asOf.Before(begun) {
			t.Fatalf("AsOf is %v before the write that it shows was begun", begun.Sub(f.asOf))
		}
	}
}
