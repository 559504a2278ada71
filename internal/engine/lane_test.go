package engine

import (
	"fmt"
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
		txn, n := pack(row.queue, row.limit, row.caps)
		if n != row.want || len(txn.Do) != n {
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

func TestAMoveKnowsTheKeysItRestsOn(t *testing.T) {
	m := moves(1, store.At("jobs/job", 7))[0]
	for key, want := range map[string]bool{"jobs/job": true, "runs/job/0": true, "runs/job/1": false, "": false} {
		if m.names(key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
}
