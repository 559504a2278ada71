package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
)

// recorded returns the runs of a job that a ring has, oldest first.
func recorded(t *testing.T, ring *history.Ring, job string) []history.Run {
	t.Helper()
	p, err := ring.Runs(context.Background(), history.RunQuery{Namespace: "elastic", Job: job, Limit: history.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(p.Items)
	return p.Items
}

// withHistory runs a test with a recorder whose rows go to a ring.
func withHistory(t *testing.T, o history.Options, f func(t *testing.T, c *elastictest.Cluster, ring *history.Ring)) {
	synctest.Test(t, func(t *testing.T) {
		ring := history.NewRing(0)
		rec := history.New(ring, o)
		t.Cleanup(func() {
			if err := rec.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		f(t, elastictest.New(t, elastic.WithHistory(rec)), ring)
	})
}

// Each attempt that ends is one row, with what its instance knows of it.
func TestHistory_HasARowForEachRun(t *testing.T) {
	withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
		job := elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 3, Retries: 1}
		c.Add(job, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			time.Sleep(2 * time.Second)
			switch run.Shard {
			case 1:
				return errors.New("no paper")
			case 2:
				return elastic.Skip("nothing to print")
			}
			return nil
		}))
		c.Start("a")
		fire := c.NextFire("report")
		c.Advance(30 * time.Second)
		rows := recorded(t, ring, "report")
		if len(rows) != 3 {
			t.Fatalf("got %d rows, want 3: %+v", len(rows), rows)
		}
		for _, row := range rows {
			want := map[int]string{0: "ok ", 1: "failed no paper", 2: "skipped nothing to print"}[row.Shard]
			if got := fmt.Sprintf("%s %s", row.Result, row.Error); got != want {
				t.Errorf("shard %d: got %q, want %q", row.Shard, got, want)
			}
			retries := map[int]int{1: 1}[row.Shard]
			sound := row.Fire.Equal(fire) && row.Attempt == 1 && row.Shards == 3 && row.Revision == 1 && row.FirstFence == row.Fence &&
				row.Fence > 0 && row.Instance == c.ID("a") && row.Retries == retries && row.Late == 0 &&
				row.Took >= 2*time.Second &&
				!row.Ended.Before(row.Started.Add(2*time.Second))
			if !sound {
				t.Errorf("shard %d: got %+v", row.Shard, row)
			}
		}
	})
}

// The attempt of an instance that died is a row, which the instance that takes
// the run over has written, or the one that abandons it.
func TestHistory_HasLostAttempts(t *testing.T) {
	for name, row := range map[string]struct {
		failover bool
		want     string
	}{
		"taken over": {true, "1 lost, 2 ok"},
		"abandoned":  {false, "1 lost"},
	} {
		t.Run(name, func(t *testing.T) {
			withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
				job := elastic.Job{Name: "report", Schedule: "0 0 * * * ?", Failover: row.failover}
				c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
					select {
					case <-time.After(time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}))
				c.Start("a", "b")
				c.NextFire("report")
				first := c.Runs("report")[0]
				dead := c.ID(first.Instance)
				c.Crash(first.Instance)
				c.Advance(10 * time.Minute)
				rows := recorded(t, ring, "report")
				slices.SortFunc(rows, func(a, b history.Run) int { return a.Attempt - b.Attempt })
				var got []string
				for _, r := range rows {
					got = append(got, fmt.Sprintf("%d %s", r.Attempt, r.Result))
				}
				if strings.Join(got, ", ") != row.want {
					t.Fatalf("got %s, want %s", strings.Join(got, ", "), row.want)
				}
				if lost := rows[0]; lost.Instance != dead || lost.Fence != int64(first.Fence()) || lost.Took != 0 {
					t.Errorf("got %+v, want the attempt of %s with fence %d", lost, dead, first.Fence())
				}
			})
		})
	}
}

// A run that is handed over is two rows with one fire.
func TestHistory_HasHandedOverRuns(t *testing.T) {
	withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
		job := elastic.Job{Name: "report", Schedule: "0 0 * * * ?", Failover: true}
		c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			for range 120 {
				if run.Moving() {
					return elastic.HandOver("it moves")
				}
				time.Sleep(time.Second)
			}
			return nil
		}))
		c.Start("a", "b")
		c.NextFire("report")
		c.Leave(c.Runs("report")[0].Instance)
		c.Advance(10 * time.Minute)
		rows := recorded(t, ring, "report")
		slices.SortFunc(rows, func(a, b history.Run) int { return a.Attempt - b.Attempt })
		if len(rows) != 2 || rows[0].Result != history.ResultHandedOver || rows[1].Result != failover.ResultSucceeded ||
			!rows[0].Fire.Equal(rows[1].Fire) {
			t.Errorf("got %+v", rows)
		}
	})
}

// What several shards miss together is one row, with the number of fires.
func TestHistory_HasMissedFires(t *testing.T) {
	withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
		job := elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Misfire: elastic.MisfireSkip}
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		c.Start("a")
		c.NextFire("report")
		c.Leave("a")
		c.Advance(10 * time.Minute)
		c.Start("b")
		c.Advance(3 * time.Minute)
		p, err := ring.Missed(context.Background(), history.MissedQuery{Namespace: "elastic", Job: "report"})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) != 1 || p.Items[0].Count < 9 || p.Items[0].Shards != "0-1" || p.Items[0].Instance != c.ID("b") {
			t.Errorf("got %+v", p.Items)
		}
	})
}

// Of jobs without claims only failures are rows, unless all are asked for. The
// key has the start in place of the fence.
func TestHistory_UnclaimedRuns(t *testing.T) {
	for name, row := range map[string]struct {
		choice history.Unclaimed
		want   int
	}{
		"failures": {history.UnclaimedFailures, 1},
		"all":      {history.UnclaimedAll, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := history.Options{Unclaimed: row.choice}
			withHistory(t, o, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
				job := elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Unclaimed: true}
				c.Add(job, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
					if run.Shard == 1 {
						return errors.New("no paper")
					}
					return nil
				}))
				c.Start("a")
				c.NextFire("report")
				c.Advance(30 * time.Second)
				rows := recorded(t, ring, "report")
				if len(rows) != row.want {
					t.Fatalf("got %d rows, want %d: %+v", len(rows), row.want, rows)
				}
				for _, r := range rows {
					if r.Fence != -r.Started.UnixMicro() {
						t.Errorf("got fence %d of a run that started at %s", r.Fence, r.Started)
					}
				}
			})
		})
	}
}

// History has the events of an instance that people ask for afterwards.
func TestHistory_HasEvents(t *testing.T) {
	withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
		job := elastic.Job{Name: "report", Schedule: "0 * * * * ?"}
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { panic("no paper") }))
		c.Start("a")
		since := time.Now().Add(-time.Minute)
		c.NextFire("report")
		c.Leave("a")
		c.Advance(10 * time.Second)
		p, err := ring.Events(context.Background(), history.EventQuery{
			Namespace: "elastic",
			Since:     since,
			Until:     time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range slices.Backward(p.Items) {
			kinds = append(kinds, e.Kind)
		}
		if got := strings.Join(kinds, ", "); got != "joined, panicked, left" {
			t.Errorf("got %s", got)
		}
	})
}
