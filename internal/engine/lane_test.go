package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

var caps = store.Caps{MaxOps: 5, MaxTxn: 1000, MaxValue: 1000}

func moves(n int, guards ...store.Cond) []*move {
	var all []*move
	for i := range n {
		all = append(all, &move{guards: guards, at: 1, op: store.Set(fmt.Sprint("runs/job/", i), []byte("v"))})
	}
	return all
}

func TestATransactionTakesAsManyMovesAsTheStoreAllows(t *testing.T) {
	guards := []store.Cond{store.Exists("instances/me"), store.At("jobs/job", 7)}
	for _, row := range []struct {
		name  string
		queue []*move
		limit int
		caps  store.Caps
		want  int
	}{
		{"no guards", moves(9), 0, caps, 5},
		{"two guards that all share", moves(9, guards...), 0, caps, 3},
		{"fewer than fit", moves(2, guards...), 0, caps, 2},
		{"a limit", moves(9), 2, caps, 2},
		{"bytes", moves(9), 0, store.Caps{MaxOps: 100, MaxTxn: 90}, 4},
		{"one that is too large by itself", moves(3), 0, store.Caps{MaxOps: 100, MaxTxn: 3}, 1},
		{"one that names too many keys by itself", moves(3, guards...), 0, store.Caps{MaxOps: 1, MaxTxn: 1000}, 1},
		{"another version of the same guard", append(moves(1, store.At("jobs/job", 7)), moves(2, store.At("jobs/job", 8))[1]), 0, caps, 1},
		{"a write to what another guards", append(moves(2, guards...), &move{at: 7, op: store.Set("jobs/job", nil)}), 0, caps, 2},
		{"a guard on what another writes", append([]*move{{at: 7, op: store.Set("jobs/job", nil)}}, moves(2, guards...)...), 0, caps, 1},
		{"another write to the same key", append(moves(2), moves(1)...), 0, caps, 2},
	} {
		var p packer
		got := p.pack(row.queue, row.limit, row.caps, nil)
		txn, n := got.txn, len(got.batch)
		if n != row.want || len(txn.Do) != n || len(got.rest) != len(row.queue)-n || got.full != (len(got.rest) > 0) {
			t.Errorf("%s: %d moves and %d writes, want %d", row.name, n, len(txn.Do), row.want)
		}
		seen := map[string]bool{}
		for _, c := range txn.If {
			if seen[c.Key] {
				t.Errorf("%s: two conditions on %s", row.name, c.Key)
			}
			seen[c.Key] = true
		}
		if n > 1 && txn.Keys() > row.caps.MaxOps || n > 1 && txn.Bytes() > row.caps.MaxTxn {
			t.Errorf("%s: %d keys and %d bytes", row.name, txn.Keys(), txn.Bytes())
		}
	}
}

// A move waits if it writes what a transaction under way compares or writes, or
// compares what that writes. Moves behind it are taken.
func TestPack_Disjoint(t *testing.T) {
	set := func(key string, guards ...store.Cond) *move {
		return &move{guards: guards, at: 1, op: store.Set(key, nil)}
	}
	spec := store.At("jobs/a", 7)
	for _, row := range []struct {
		name   string
		beside *move
		moves  []*move
		want   []string
	}{
		{"the same guard", set("runs/a/0", spec), []*move{set("runs/a/1", spec)}, []string{"runs/a/1"}},
		{"another version of the guard", set("runs/a/0", spec), []*move{set("runs/a/1", store.At("jobs/a", 8))}, []string{"runs/a/1"}},
		{"a write of what is compared", set("runs/a/0", spec), []*move{set("jobs/a"), set("jobs/b")}, []string{"jobs/b"}},
		{"a comparison of what is written", set("jobs/a"), []*move{set("runs/a/1", spec), set("runs/b/1")}, []string{"runs/b/1"}},
		{"a write of what is written", set("jobs/a"), []*move{set("jobs/a")}, nil},
	} {
		var under, p packer
		under.pack([]*move{row.beside}, 0, caps, nil)
		got := p.pack(row.moves, 0, caps, []*packer{&under})
		var keys []string
		for _, m := range got.batch {
			keys = append(keys, m.op.Key)
		}
		if !slices.Equal(keys, row.want) || len(got.rest) != len(row.moves)-len(row.want) || got.full {
			t.Errorf("%s: got %q with %d left over, want %q", row.name, keys, len(got.rest), row.want)
		}
	}
}

// A thousand claims of jobs with one shard fill their transactions: two guards
// and a record each, and the instance's key.
func TestPack_ThousandJobs(t *testing.T) {
	for _, row := range []struct{ maxOps, want int }{{127, 24}, {256, 12}} {
		me := store.Exists("instances/me")
		var queue []*move
		for i := range 1000 {
			job := fmt.Sprint("job", i)
			guards := []store.Cond{me, store.At("jobs/"+job, 7), store.At("assignments/"+job, 8)}
			queue = append(queue, &move{guards: guards, op: store.Create("runs/"+job+"/0", nil)})
		}
		var p packer
		n := 0
		for ; len(queue) > 0; n++ {
			queue = p.pack(queue, 0, store.Caps{MaxOps: row.maxOps, MaxTxn: 1 << 20}, nil).rest
		}
		if n != row.want {
			t.Errorf("%d keys a transaction: %d transactions, want %d", row.maxOps, n, row.want)
		}
	}
}

// A move is told of the key that it failed on, and of no other's.
func TestConflict_OfOneMove(t *testing.T) {
	m := moves(1, store.At("jobs/job", 7), store.At("assignments/job", 8))[0]
	for _, row := range []struct {
		err  store.ConflictError
		want string
	}{
		{store.ConflictError{Key: "jobs/job", Reason: store.Changed}, "jobs/job"},
		{store.ConflictError{Key: "runs/job/0", Reason: store.Absent}, "runs/job/0"},
		{store.ConflictError{Key: "runs/job/1", Reason: store.Absent}, ""},
		{store.ConflictError{}, ""},
		{store.ConflictError{Key: "x", Others: []store.Conflict{{Key: "runs/job/0"}, {Key: "assignments/job"}}}, "assignments/job"},
	} {
		err, failed := m.failedOn(&row.err)
		if failed != (row.want != "") || failed && conflictKey(err) != row.want {
			t.Errorf("%v: got %v, want a conflict on %q", &row.err, err, row.want)
		}
	}
}
