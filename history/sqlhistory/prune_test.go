package sqlhistory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/historytest"
	"github.com/elasticjob-go/elastic/history/sqlhistory"
)

// aged returns rows of all types that are so old.
func aged(n int, age time.Duration) history.Batch {
	at := time.Now().UTC().Add(-age).Truncate(time.Microsecond)
	run := historytest.Sample(n)
	run.Fire = at
	run.Started = at
	run.Ended = at
	failed := run
	failed.Fence += 1_000_000
	failed.Result = failover.ResultFailed
	failed.Trigger = 5
	return history.Batch{
		Runs: []history.Run{run, failed},
		Missed: []history.Missed{{
			Namespace: run.Namespace,
			Job:       run.Job,
			First:     at,
			Last:      at,
			Seen:      at,
		}},
		Events: []history.Event{{Namespace: run.Namespace, At: at, Instance: "a@1", Kind: "joined"}},
		Gaps:   []history.Gap{{Namespace: run.Namespace, From: at, To: at, Count: n}},
		Audit:  []history.Audit{{Namespace: run.Namespace, ID: fmt.Sprint(n), At: at}},
		Logs:   []history.Log{{RunKey: run.RunKey, Ended: at}},
	}
}

// Rows are removed when they are as old as Keep says, and no others.
func TestPrune_KeepsWhatIsYoung(t *testing.T) {
	const day = 24 * time.Hour
	forEach(t, func(t *testing.T, p *product) {
		ctx := context.Background()
		db := p.open(t)
		d := p.history(t, db, sqlhistory.Options{NoPrune: true})
		for i, days := range []time.Duration{0, 6, 8, 29, 31, 89, 91, 364, 366} {
			if err := d.Write(ctx, aged(i, days*day)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.Prune(ctx, time.Now())
		if err != nil || !got.Done || got.Busy {
			t.Fatalf("got %+v, %v", got, err)
		}
		left := map[string]int{}
		for _, table := range []string{"run", "fire", "missed", "event", "gap", "audit", "log"} {
			left[table] = count(t, db, "elastic_"+table)
		}
		want := map[string]int{"run": 4 + 6, "fire": 12, "missed": 6, "event": 6, "gap": 8, "audit": 8, "log": 2}
		if fmt.Sprint(left) != fmt.Sprint(want) {
			t.Errorf("left: %v, want %v", left, want)
		}
		again, err := d.Prune(ctx, time.Now())
		if err != nil || again.Rows != 0 || !again.Done {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

// One program prunes at a time. Another one takes the task over when the lease
// has ended.
func TestPrune_HasALease(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		ctx := context.Background()
		db := p.open(t)
		d := p.history(t, db, sqlhistory.Options{NoPrune: true})
		until := map[sqlhistory.Dialect]string{
			sqlhistory.Postgres: "'2030-01-01 00:00:00+00'",
			sqlhistory.MySQL:    "'2030-01-01 00:00:00'",
			sqlhistory.SQLite:   fmt.Sprint(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()),
		}[p.dialect]
		if _, err := db.Exec("UPDATE elastic_meta SET until_at = " + until); err != nil {
			t.Fatal(err)
		}
		before := time.Date(2029, 12, 31, 0, 0, 0, 0, time.UTC)
		if got, err := d.Prune(ctx, before); err != nil || !got.Busy || got.Done {
			t.Errorf("with a lease: %+v, %v", got, err)
		}
		if got, err := d.Prune(ctx, before.AddDate(0, 0, 2)); err != nil || got.Busy || !got.Done {
			t.Errorf("after the lease: %+v, %v", got, err)
		}
	})
}

// More runs than MaxRows are not kept: the oldest go. Many rows take several
// statements.
func TestPrune_BoundsTheRuns(t *testing.T) {
	ctx := context.Background()
	db := sqlite.open(t)
	d := sqlite.history(t, db, sqlhistory.Options{NoPrune: true, Keep: sqlhistory.Keep{MaxRows: 500}})
	if err := d.Write(ctx, runsOf(0, 3700)); err != nil {
		t.Fatal(err)
	}
	got, err := d.Prune(ctx, time.Now())
	if err != nil || got.Rows != 3200 {
		t.Fatalf("got %+v, %v", got, err)
	}
	p, err := d.Runs(ctx, history.RunQuery{Namespace: historytest.Namespace, Job: "report", Limit: 1000})
	if err != nil || len(p.Items) != 500 {
		t.Fatalf("%d runs are left, %v", len(p.Items), err)
	}
	for _, run := range p.Items {
		if run.Fence < historytest.Sample(3200).Fence {
			t.Fatalf("%s is left, and newer ones are gone", run.RunKey)
		}
	}
}

// Write starts a removal by itself, and Close waits for its end.
func TestPrune_StartsByItself(t *testing.T) {
	ctx := context.Background()
	db := sqlite.open(t)
	d := sqlite.history(t, db, sqlhistory.Options{})
	if err := d.Write(ctx, aged(1, 1000*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); count(t, db, "elastic_run") > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	d.Close()
	if n := count(t, db, "elastic_run"); n != 0 {
		t.Errorf("%d old rows are left", n)
	}
}

// A removal that has no more time goes on the next time.
func TestPrune_EndsWithItsContext(t *testing.T) {
	db := sqlite.open(t)
	d := sqlite.history(t, db, sqlhistory.Options{NoPrune: true})
	var b history.Batch
	for i := range 3000 {
		b.Runs = append(b.Runs, aged(i, 1000*24*time.Hour).Runs[0])
	}
	if err := d.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	var removed int64
	unfinished := 0
	now := time.Now()
	for limit := time.Millisecond; limit < 10*time.Minute; limit *= 2 {
		now = now.Add(time.Hour) // past the lease of a call that ended while it took it
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		got, err := d.Prune(ctx, now)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		removed += got.Rows
		if got.Done {
			break
		}
		unfinished++
	}
	if unfinished == 0 {
		t.Error("a millisecond was enough to remove all rows, which shows nothing")
	}
	if n := count(t, db, "elastic_run"); n != 0 {
		t.Errorf("%d rows were removed, and %d are left", removed, n)
	}
}
