// Package historytest tests sinks of history, and readers.
//
// A sink of one's own is tested with:
//
//	func TestSink(t *testing.T) {
//		open := func(*testing.T) history.Sink { return mysink.New() }
//		historytest.Run(t, open)
//	}
package historytest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
)

// Run tests a sink. open returns an empty sink; it is called for each test. If
// the sink is a [history.Reader], the rows are read back, and its answers are
// compared with those of a [history.Ring]. Otherwise only the errors of Write
// are tested.
func Run(t *testing.T, open func(t *testing.T) history.Sink) {
	for name, test := range map[string]func(*testing.T, history.Sink){
		"takes an empty batch":         emptyBatch,
		"keeps rows of all types":      allTypes,
		"takes rows twice":             twice,
		"keeps the first of two rows":  first,
		"takes texts of all kinds":     texts,
		"takes times of all years":     years,
		"takes rows of many instances": together,
		"ends with its context":        ended,
		"answers queries":              queries,
		"tells of gaps":                gaps,
		"refuses queries":              refused,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { test(t, open(t)) })
	}
}

// Namespace is the namespace of the rows.
const Namespace = "historytest"

// origin is the time of the first row: a whole minute, recent enough for sinks
// that remove old rows.
var origin = time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)

func begin() time.Time { return origin }

// Sample returns a run. Different numbers give different keys.
func Sample(n int) history.Run {
	started := begin().Add(time.Duration(n) * time.Second)
	fence := 1_700_000_000_000 + int64(n)
	return history.Run{
		RunKey:     history.RunKey{Namespace: Namespace, Job: "report", Shard: n % 5, Fence: fence},
		Fire:       started.Truncate(time.Minute),
		Attempt:    1 + n%3,
		Shards:     5,
		FirstFence: fence,
		Revision:   7,
		Instance:   fmt.Sprintf("host-%d@x", n%3),
		Started:    started,
		Ended:      started.Add(1500 * time.Millisecond),
		Took:       1500 * time.Millisecond,
		Late:       time.Duration(n%10) * 100 * time.Millisecond,
		Retries:    n % 2,
		Result:     failover.ResultSucceeded,
	}
}

func write(t *testing.T, s history.Sink, b history.Batch) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.Runs = slices.Clone(b.Runs) // a sink can change it
	if err := s.Write(ctx, b); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// reader returns the sink as a reader, or skips the test.
func reader(t *testing.T, s history.Sink) history.Reader {
	t.Helper()
	r, ok := s.(history.Reader)
	if !ok {
		t.Skip("the sink is not a history.Reader, so it cannot be seen what it has")
	}
	return r
}

// runs returns all runs of a job.
func runs(t *testing.T, r history.Reader, job string) []history.Run {
	t.Helper()
	var all []history.Run
	q := history.RunQuery{Namespace: Namespace, Job: job, Limit: history.MaxLimit}
	for {
		p, err := r.Runs(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Items...)
		if p.Next == "" {
			return all
		}
		q.Cursor = p.Next
	}
}

func emptyBatch(t *testing.T, s history.Sink) { write(t, s, history.Batch{}) }

// allTypes writes a row of each type and reads it back.
func allTypes(t *testing.T, s history.Sink) {
	at := begin()
	run := Sample(1)
	run.Trigger = 3
	run.Result = failover.ResultFailed
	run.Code = "handler_error"
	run.Error = "no paper"
	run.Trace = history.TraceID{1, 2, 3, 15: 255}
	b := history.Batch{
		Runs: []history.Run{run},
		Missed: []history.Missed{{
			Namespace: Namespace,
			Job:       "report",
			Shard:     2,
			Shards:    "2, 4-7",
			First:     at,
			Last:      at.Add(time.Hour),
			Count:     1000,
			More:      true,
			Code:      "missed_too_late",
			Instance:  "a@1",
			Seen:      at.Add(time.Hour),
		}},
		Events: []history.Event{{
			Namespace: Namespace,
			At:        at,
			Instance:  "a@1",
			Seq:       5,
			Kind:      "trouble",
			Job:       "report",
			Shard:     -1,
			Code:      "store_failed",
			Subject:   "runs/report/1",
			Detail:    "no answer",
		}},
		Gaps: []history.Gap{{
			Namespace: Namespace,
			Instance:  "a@1",
			From:      at,
			To:        at.Add(time.Minute),
			Count:     12,
			What:      "buffer full: 12 ok",
		}},
		Audit: []history.Audit{{
			ID:        "018f6b1c-0000-7000-8000-000000000001",
			Namespace: Namespace,
			At:        at,
			By:        "ada",
			Via:       "elasticctl",
			Act:       "job.disable",
			Target:    "report",
			Why:       "no paper",
			Detail:    `{"disabled":true}`,
		}},
		Logs: []history.Log{{
			RunKey: run.RunKey,
			Ended:  run.Ended,
			Bytes:  70_000,
			Gzip:   []byte{0x1f, 0x8b, 0, 255},
		}},
	}
	write(t, s, b)
	r := reader(t, s)
	ctx := context.Background()
	got := runs(t, r, "report")
	same(t, "run", got, b.Runs)
	missed, err := r.Missed(ctx, history.MissedQuery{Namespace: Namespace, Job: "report"})
	same(t, "missed", missed.Items, b.Missed, err)
	since, until := at.Add(-time.Hour), at.Add(2*time.Hour)
	events, err := r.Events(ctx, history.EventQuery{Namespace: Namespace, Since: since, Until: until})
	same(t, "event", events.Items, b.Events, err)
	same(t, "gap", events.Gaps, b.Gaps)
	audit, err := r.Audit(ctx, history.AuditQuery{Namespace: Namespace, Since: since, Until: until})
	same(t, "audit", audit.Items, b.Audit, err)
	log, err := r.Log(ctx, run.RunKey)
	same(t, "log", []history.Log{log}, b.Logs, err)
	if _, err := r.Log(ctx, Sample(2).RunKey); !errors.Is(err, history.ErrNotFound) {
		t.Errorf("a log that does not exist: %v, want ErrNotFound", err)
	}
	fires, err := r.Fires(ctx, history.FireQuery{Namespace: Namespace, Job: "report"})
	same(t, "fire", fires.Items, []history.Fire{{
		Namespace:  Namespace,
		Job:        "report",
		Fire:       run.Fire,
		Trigger:    3,
		Shards:     5,
		Tally:      history.Tally{Failed: 1},
		FirstStart: run.Started,
		LastEnd:    run.Ended,
	}}, err)
}

// same compares rows that were read with those that were written.
func same[T any](t *testing.T, what string, got, want []T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d rows, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if a, b := text(t, got[i]), text(t, want[i]); a != b {
			t.Errorf("%s %d: got\n%s\nwant\n%s", what, i, a, b)
			return
		}
	}
}

func text(t *testing.T, row any) string {
	t.Helper()
	b, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// mixed returns rows of several jobs, instances and results.
func mixed(dice *rand.Rand, n int) history.Batch {
	var b history.Batch
	results := []failover.Result{
		failover.ResultSucceeded,
		failover.ResultSucceeded,
		failover.ResultFailed,
		failover.ResultSkipped,
		failover.ResultLost,
		failover.ResultReplaced,
		failover.ResultCancelled,
		history.ResultHandedOver,
	}
	for i := range n {
		run := Sample(i)
		run.Job = fmt.Sprintf("job-%d", dice.IntN(3))
		run.Fire = begin().Add(time.Duration(dice.IntN(20)) * time.Minute)
		run.Started = run.Fire.Add(time.Duration(dice.IntN(10)) * time.Second)
		run.Ended = run.Started.Add(time.Duration(dice.IntN(5)) * time.Second)
		run.Trigger = uint64(dice.IntN(2) * dice.IntN(3))
		run.Result = results[dice.IntN(len(results))]
		if run.Result == failover.ResultFailed {
			run.Error = []string{"no paper", "No Paper", "100% of _ and \\"}[dice.IntN(3)]
		}
		b.Runs = append(b.Runs, run)
		if i%10 == 0 {
			b.Missed = append(b.Missed, history.Missed{
				Namespace: Namespace,
				Job:       run.Job,
				Shard:     run.Shard,
				Shards:    fmt.Sprint(run.Shard),
				First:     run.Fire.Add(time.Duration(i) * time.Millisecond),
				Last:      run.Fire.Add(time.Minute),
				Count:     2,
				Code:      "missed_overlap",
				Instance:  run.Instance,
				Seen:      run.Fire.Add(time.Minute),
			})
			b.Events = append(b.Events, history.Event{
				Namespace: Namespace,
				At:        run.Fire,
				Instance:  run.Instance,
				Seq:       uint64(i),
				Kind:      []string{"joined", "left"}[dice.IntN(2)],
				Shard:     -1,
			})
			b.Audit = append(b.Audit, history.Audit{
				ID:        fmt.Sprintf("id-%05d", i),
				Namespace: Namespace,
				At:        run.Fire,
				By:        "ada",
				Target:    run.Job,
			})
		}
	}
	return b
}

// split divides a batch in two.
func split(b history.Batch) (x, y history.Batch) {
	x, y = b, b
	half := len(b.Runs) / 2
	x.Runs, y.Runs = b.Runs[:half], b.Runs[half:]
	x.Missed, y.Missed = b.Missed[:len(b.Missed)/2], b.Missed[len(b.Missed)/2:]
	x.Events, y.Events = nil, b.Events
	x.Audit, y.Audit = b.Audit, nil
	return x, y
}

// twice writes rows again, in another order and division, and within a batch.
func twice(t *testing.T, s history.Sink) {
	b := mixed(rand.New(rand.NewPCG(1, 1)), 600)
	write(t, s, b)
	ring := history.NewRing(0)
	write(t, ring, b)
	x, y := split(b)
	slices.Reverse(y.Runs)
	write(t, s, y)
	x.Runs = append(slices.Clone(x.Runs), x.Runs...)
	write(t, s, x)
	write(t, s, b)
	compare(t, reader(t, s), ring)
}

// compare compares all that two readers have.
func compare(t *testing.T, got, want history.Reader) {
	t.Helper()
	ctx := context.Background()
	for _, job := range []string{"job-0", "job-1", "job-2"} {
		same(t, "runs of "+job, runs(t, got, job), runs(t, want, job))
		q := history.FireQuery{Namespace: Namespace, Job: job, Limit: history.MaxLimit}
		g, err := got.Fires(ctx, q)
		w, wrong := want.Fires(ctx, q)
		same(t, "fires of "+job, g.Items, w.Items, err, wrong)
		h := history.HistogramQuery{
			Namespace: Namespace,
			Job:       job,
			Since:     begin().Add(-time.Minute),
			Until:     begin().Add(time.Hour),
			Buckets:   7,
		}
		gb, err := got.Histogram(ctx, h)
		wb, wrong := want.Histogram(ctx, h)
		same(t, "histogram of "+job, gb, wb, err, wrong)
	}
}

// first writes another row with the key of one that is there.
func first(t *testing.T, s history.Sink) {
	a, b := Sample(1), Sample(1)
	b.Result, b.Error = failover.ResultLost, "written later"
	write(t, s, history.Batch{Runs: []history.Run{a}})
	write(t, s, history.Batch{Runs: []history.Run{b}})
	c, d := Sample(2), Sample(2)
	d.Result = failover.ResultLost
	write(t, s, history.Batch{Runs: []history.Run{c, d}})
	r := reader(t, s)
	for _, run := range runs(t, r, "report") {
		if run.Result != failover.ResultSucceeded {
			t.Errorf("%s has the result %s, want that of the first row", run.RunKey, run.Result)
		}
	}
	fires, err := r.Fires(context.Background(), history.FireQuery{Namespace: Namespace, Job: "report"})
	if err != nil {
		t.Fatal(err)
	}
	var sum history.Tally
	for _, f := range fires.Items {
		sum.OK += f.OK
		sum.Lost += f.Lost
	}
	if sum.OK != 2 || sum.Lost != 0 {
		t.Errorf("the fires count %d ok and %d lost, want 2 and 0", sum.OK, sum.Lost)
	}
}

// texts writes names and errors that look like SQL, and characters of all
// kinds.
func texts(t *testing.T, s history.Sink) {
	names := []string{
		"x'; DROP TABLE elastic_run; --",
		`a"b\c%d_e$1?`,
		"Report",
		"REPORT",
	}
	errors := []string{
		"",
		"日本語 🎉 é",
		"%s %d {} '",
		strings.Repeat("é", history.MaxError/2),
		"a\nb\tc\r",
		"\u2028\u0001",
	}
	var b history.Batch
	for i, name := range names {
		for k, message := range errors {
			run := Sample(i*len(errors) + k)
			run.Job = name
			run.Error = message
			run.Result = failover.ResultFailed
			b.Runs = append(b.Runs, run)
		}
	}
	write(t, s, b)
	r := reader(t, s)
	for _, name := range names {
		got := runs(t, r, name)
		if len(got) != len(errors) {
			t.Errorf("job %q: got %d runs, want %d", name, len(got), len(errors))
		}
		for _, run := range got {
			i := slices.IndexFunc(b.Runs, func(w history.Run) bool { return w.RunKey == run.RunKey })
			if i < 0 || b.Runs[i].Error != run.Error {
				t.Errorf("%q: got error %.40q", run.RunKey, run.Error)
			}
		}
	}
}

// years writes times of clocks that are wrong.
func years(t *testing.T, s history.Sink) {
	var b history.Batch
	for i, at := range []time.Time{
		{},
		time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
		time.Unix(0, 0).UTC(),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	} {
		run := Sample(i)
		run.Fire = at
		run.Started = at
		run.Ended = at
		b.Runs = append(b.Runs, run)
	}
	write(t, s, b)
	got := runs(t, reader(t, s), "report")
	slices.SortFunc(got, func(a, b history.Run) int { return cmp.Compare(a.Fence, b.Fence) })
	same(t, "run", got, b.Runs)
}

// together writes from several goroutines at once: the rows of one fire, in
// different orders, and twice.
func together(t *testing.T, s history.Sink) {
	var all []history.Run
	for i := range 400 {
		run := Sample(i)
		run.Job = "job-0"
		run.Shard = i
		run.Shards = 400
		run.Fire = begin()
		all = append(all, run)
	}
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(w), 1))
			mine := slices.Clone(all[w/2*100 : w/2*100+100]) // two write the same
			dice.Shuffle(len(mine), func(i, k int) { mine[i], mine[k] = mine[k], mine[i] })
			for len(mine) > 0 {
				n := min(1+dice.IntN(40), len(mine))
				var err error
				for range 20 { // as a recorder does
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					err = s.Write(ctx, history.Batch{Runs: slices.Clone(mine[:n])})
					cancel()
					if err == nil {
						break
					}
				}
				if err != nil {
					t.Errorf("write: %v", err)
					return
				}
				mine = mine[n:]
			}
		})
	}
	group.Wait()
	ring := history.NewRing(0)
	write(t, ring, history.Batch{Runs: all})
	compare(t, reader(t, s), ring)
}

// ended writes with a context that has ended.
func ended(t *testing.T, s history.Sink) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() { done <- s.Write(ctx, history.Batch{Runs: []history.Run{Sample(1)}}) }()
	select {
	case err := <-done:
		if history.Refused(err) || errors.Is(err, history.ErrIncompatible) {
			t.Errorf("the end of the context counts as the fault of the rows, or of the program: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Write does not return though its context has ended")
	}
}
