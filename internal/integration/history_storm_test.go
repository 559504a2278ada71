package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// ending is the end of an attempt that a commit shows.
type ending struct {
	result failover.Result
	client string // that committed it
}

// endings finds the ends of attempts in the commits of a store.
type endings struct {
	records map[string]failover.Record // by key
	found   map[history.RunKey]ending
}

func (e *endings) commit(c memory.Commit) {
	for _, op := range c.Do {
		job, shard, ok := layout.RunOf(op.Key)
		if !ok {
			continue
		}
		if op.Kind == store.OpDelete {
			delete(e.records, op.Key)
			continue
		}
		next, err := failover.Decode(op.Value)
		if err != nil {
			continue
		}
		last := e.records[op.Key]
		e.records[op.Key] = next
		if result := endOf(last, next); result != "" {
			key := history.RunKey{Namespace: "elastic", Job: job, Shard: shard, Fence: int64(last.Fence)}
			e.found[key] = ending{result, c.Client}
		}
	}
}

// endOf returns the result of the attempt that a change of a record ends; empty
// if it ends none.
func endOf(last, next failover.Record) failover.Result {
	switch {
	case last.State != failover.StateRunning || last.Owner == "":
		return ""
	case next.State == failover.StateIdle:
		return next.Result
	case next.Owner == "":
		return history.ResultHandedOver
	case next.Attempt > last.Attempt:
		return failover.ResultLost
	}
	return ""
}

// unsteady is a sink that fails, and commits and loses the answer.
type unsteady struct {
	ring *history.Ring
	rand *rand.Rand
}

func (u *unsteady) Write(ctx context.Context, b history.Batch) error {
	switch u.rand.IntN(6) {
	case 0:
		return errors.New("no answer")
	case 1:
		_ = u.ring.Write(ctx, b)
		return errors.New("connection reset in COMMIT")
	case 2:
		<-ctx.Done()
		return ctx.Err()
	}
	return u.ring.Write(ctx, b)
}

// In storms, history has each attempt that ended, with the result that the
// store has, and no other. The exceptions are counted, or were on a process
// that was killed before it knew.
func TestHistory_AgreesWithStorms(t *testing.T) {
	for seed := uint64(1); seed <= max(*stormSeeds/4, 4); seed++ {
		t.Run(fmt.Sprintf("storm.seed=%d", seed), func(t *testing.T) {
			seen := &endings{records: map[string]failover.Record{}, found: map[history.RunKey]ending{}}
			ring := history.NewRing(1_000_000)
			var rec *history.Recorder
			var killed map[string]bool
			bubble(t, func(c *cluster) {
				rec = history.New(&unsteady{ring, rand.New(rand.NewPCG(seed, 3))}, history.Options{})
				c.opts = append(c.opts, elastic.WithHistory(rec))
				c.audit.Also(seen.commit)
				newStorm(c, seed).run()
				c.stopAll()
				killed = map[string]bool{}
				for _, n := range c.nodes {
					killed[n.name] = killed[n.name] || n.dead
				}
				time.Sleep(10 * time.Minute) // all batches are written by then
				_ = rec.Close(context.Background())
			})
			checkEndings(t, seen, ring, rec.Stats(), killed)
		})
		if t.Failed() {
			return
		}
	}
}

func checkEndings(t *testing.T, seen *endings, ring *history.Ring, stats history.Stats, killed map[string]bool) {
	t.Helper()
	rows := map[history.RunKey]failover.Result{}
	jobs := map[string]bool{}
	for key := range seen.found {
		jobs[key.Job] = true
	}
	for job := range jobs {
		q := history.RunQuery{Namespace: "elastic", Job: job, Limit: history.MaxLimit}
		for more := true; more; more = q.Cursor != "" {
			p, err := ring.Runs(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range p.Items {
				rows[r.RunKey] = r.Result
			}
			q.Cursor = p.Next
		}
	}
	for key, result := range rows {
		if end, ok := seen.found[key]; !ok || end.result != result {
			t.Errorf("history says that %s is %s; the store says %q", key, result, end.result)
		}
	}
	missing := 0
	for key, end := range seen.found {
		if _, ok := rows[key]; ok || killed[end.client] {
			continue
		}
		missing++
		t.Logf("no row: %s, %s by %s", key, end.result, end.client)
	}
	var dropped uint64
	for _, n := range stats.Dropped {
		dropped += n
	}
	if uint64(missing) > dropped {
		t.Errorf("%d ends have no row, and %d rows were dropped", missing, dropped)
	}
	if len(rows) == 0 {
		t.Error("history is empty")
	}
}
