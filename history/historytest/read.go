package historytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
)

// pages collects a list page by page.
func pages[T any](t *testing.T, next func(cursor string) (history.Page[T], error)) []T {
	t.Helper()
	var all []T
	cursor := ""
	for range 10_000 {
		p, err := next(cursor)
		if err != nil {
			t.Fatalf("after %d rows: %v", len(all), err)
		}
		all = append(all, p.Items...)
		if p.Next == "" {
			return all
		}
		cursor = p.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// queries compares the answers to many queries with those of a ring.
func queries(t *testing.T, s history.Sink) {
	r := reader(t, s)
	dice := rand.New(rand.NewPCG(2, 2))
	b := mixed(dice, 400)
	ring := history.NewRing(0)
	write(t, s, b)
	write(t, ring, b)
	ctx := context.Background()
	for i := range 60 {
		q := anyQuery(dice, b)
		ask := func(r history.Reader) []history.Run {
			q := q
			return pages(t, func(cursor string) (history.Page[history.Run], error) {
				q.Cursor = cursor
				return r.Runs(ctx, q)
			})
		}
		same(t, fmt.Sprintf("query %d, %+v", i, q), ask(r), ask(ring))
	}
	since, until := begin().Add(-time.Hour), begin().Add(time.Hour)
	for _, limit := range []int{1, 7, 1000} {
		missed := func(r history.Reader) []history.Missed {
			return pages(t, func(cursor string) (history.Page[history.Missed], error) {
				return r.Missed(ctx, history.MissedQuery{
					Namespace: Namespace,
					Since:     since,
					Until:     until,
					Limit:     limit,
					Cursor:    cursor,
				})
			})
		}
		same(t, "missed", missed(r), missed(ring))
		events := func(r history.Reader) []history.Event {
			return pages(t, func(cursor string) (history.Page[history.Event], error) {
				return r.Events(ctx, history.EventQuery{
					Namespace: Namespace,
					Kinds:     []string{"left", "lost"},
					Since:     since,
					Until:     until,
					Limit:     limit,
					Cursor:    cursor,
				})
			})
		}
		same(t, "events", events(r), events(ring))
		audit := func(r history.Reader) []history.Audit {
			return pages(t, func(cursor string) (history.Page[history.Audit], error) {
				return r.Audit(ctx, history.AuditQuery{
					Namespace: Namespace,
					Target:    "job-1",
					Since:     since,
					Until:     until,
					Limit:     limit,
					Cursor:    cursor,
				})
			})
		}
		same(t, "audit", audit(r), audit(ring))
		fires := func(r history.Reader) []history.Fire {
			return pages(t, func(cursor string) (history.Page[history.Fire], error) {
				return r.Fires(ctx, history.FireQuery{
					Namespace: Namespace,
					Job:       "job-1",
					Since:     since,
					Limit:     limit,
					Cursor:    cursor,
				})
			})
		}
		same(t, "fires", fires(r), fires(ring))
	}
}

// anyQuery returns a query that many of the rows answer.
func anyQuery(dice *rand.Rand, b history.Batch) history.RunQuery {
	some := b.Runs[dice.IntN(len(b.Runs))]
	maybe := func() bool { return dice.IntN(4) == 0 }
	q := history.RunQuery{Namespace: Namespace, Limit: []int{1, 3, 50, 1000}[dice.IntN(4)]}
	if dice.IntN(2) == 0 {
		q.Job = some.Job
	}
	if q.Job == "" || maybe() {
		q.Since = begin().Add(-time.Duration(dice.IntN(30)) * time.Minute)
		q.Until = begin().Add(time.Duration(1+dice.IntN(30)) * time.Minute)
	}
	if q.Job != "" && maybe() {
		q.Fire = some.Fire
	}
	if q.Job != "" && maybe() {
		q.Trigger = some.Trigger
	}
	if maybe() {
		q.Shards = []int{some.Shard, 4}
	}
	switch dice.IntN(5) {
	case 0:
		q.Results = []failover.Result{failover.ResultFailed, failover.ResultLost}
	case 1:
		q.Results = []failover.Result{some.Result}
	}
	if maybe() {
		q.Instance = some.Instance
	}
	if maybe() && !q.Since.IsZero() {
		q.ErrorHas = []string{"paper", "% of _", "\\", "xyz"}[dice.IntN(4)]
	}
	if maybe() {
		q.MinAttempt = 2
	}
	if maybe() {
		q.MinLate = 300 * time.Millisecond
	}
	return q
}

// gaps asks for pages with gaps in them.
func gaps(t *testing.T, s history.Sink) {
	r := reader(t, s)
	at := func(minutes int) time.Time { return begin().Add(time.Duration(minutes) * time.Minute) }
	var b history.Batch
	for i := range 10 {
		run := Sample(i)
		run.Fire = at(2 * i)
		b.Runs = append(b.Runs, run)
	}
	gap := func(from, to int) history.Gap {
		return history.Gap{
			Namespace: Namespace,
			Instance:  "a@1",
			From:      at(from),
			To:        at(to),
			Count:     1,
			What:      "buffer full",
		}
	}
	b.Gaps = []history.Gap{gap(-60, -50), gap(3, 5), gap(17, 30)}
	write(t, s, b)
	write(t, s, b)
	q := history.RunQuery{Namespace: Namespace, Job: "report", Limit: 5}
	newest, err := r.Runs(context.Background(), q)
	same(t, "gaps of the first page", newest.Gaps, b.Gaps[2:], err)
	q.Cursor = newest.Next
	oldest, err := r.Runs(context.Background(), q)
	same(t, "gaps of the last page", oldest.Gaps, b.Gaps[:2], err)
	q = history.RunQuery{Namespace: Namespace, Job: "report", Since: at(6), Until: at(12)}
	middle, err := r.Runs(context.Background(), q)
	same(t, "gaps between Since and Until", middle.Gaps, nil, err)
}

// refused asks for what a reader must refuse.
func refused(t *testing.T, s history.Sink) {
	r := reader(t, s)
	ctx := context.Background()
	now := time.Now()
	for name, q := range map[string]history.RunQuery{
		"nothing":     {Namespace: Namespace},
		"ten years":   {Namespace: Namespace, Since: now.AddDate(-10, 0, 0), Until: now},
		"an error":    {Namespace: Namespace, Job: "report", ErrorHas: "x"},
		"a fire":      {Namespace: Namespace, Fire: now, Since: now.Add(-time.Hour), Until: now},
		"many rows":   {Namespace: Namespace, Job: "report", Limit: 1001},
		"no rows":     {Namespace: Namespace, Job: "report", Limit: -1},
		"the past":    {Namespace: Namespace, Job: "report", Since: now, Until: now.Add(-time.Hour)},
		"garbage":     {Namespace: Namespace, Job: "report", Cursor: "!!"},
		"a forgery":   {Namespace: Namespace, Job: "report", Cursor: "eyJxIjoieCIsInQiOjF9"},
		"many shards": {Namespace: Namespace, Job: "report", Shards: make([]int, 2000)},
	} {
		if _, err := r.Runs(ctx, q); !errors.Is(err, history.ErrQuery) {
			t.Errorf("%s: got %v, want ErrQuery", name, err)
		}
	}
	_, fires := r.Fires(ctx, history.FireQuery{Namespace: Namespace})
	_, missed := r.Missed(ctx, history.MissedQuery{Namespace: Namespace})
	_, events := r.Events(ctx, history.EventQuery{Namespace: Namespace})
	_, audit := r.Audit(ctx, history.AuditQuery{Namespace: Namespace})
	_, histogram := r.Histogram(ctx, history.HistogramQuery{Namespace: Namespace, Job: "report"})
	for i, err := range []error{fires, missed, events, audit, histogram} {
		if !errors.Is(err, history.ErrQuery) {
			t.Errorf("query %d without a bound: got %v, want ErrQuery", i, err)
		}
	}
}
