package history_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
)

var seeds = flag.Int("history.seeds", 300, "how many courses with a hostile sink are played")

// sinkFunc is a sink that is one function.
type sinkFunc func(ctx context.Context, b history.Batch) error

func (f sinkFunc) Write(ctx context.Context, b history.Batch) error { return f(ctx, b) }

func run(n int, result failover.Result) history.Run {
	return history.Run{
		RunKey:   history.RunKey{Namespace: "n", Job: "report", Shard: n % 7, Fence: int64(n + 1)},
		Fire:     time.Now(),
		Attempt:  1,
		Instance: "a@1",
		Started:  time.Now(),
		Ended:    time.Now(),
		Result:   result,
	}
}

// sum returns the number of all rows.
func sum(counts map[string]uint64) (n uint64) {
	for _, of := range counts {
		n += of
	}
	return n
}

// checkSums checks that each row is accounted for.
func checkSums(t *testing.T, s history.Stats) {
	t.Helper()
	in := sum(s.Added) + sum(s.Restored)
	out := sum(s.Written) + sum(s.Dropped) + sum(s.Spooled)
	if in != out {
		t.Errorf("%d rows came, and %d are accounted for: %+v", in, out, s)
	}
}

// hostile is a sink that fails, hangs, panics, refuses rows, and commits rows
// and loses the answer. It has the rows that it committed.
type hostile struct {
	mu      sync.Mutex
	rand    *rand.Rand
	sound   bool
	runs    map[history.RunKey]history.Run
	told    int // rows that gaps tell of
	returns chan struct{}
}

func (h *hostile) commit(b history.Batch) {
	for _, r := range b.Runs {
		h.runs[r.RunKey] = r
	}
	for _, g := range b.Gaps {
		h.told += g.Count
	}
}

func (h *hostile) Write(ctx context.Context, b history.Batch) error {
	h.mu.Lock()
	sound, dice := h.sound, h.rand.IntN(100)
	h.mu.Unlock()
	for _, r := range b.Runs {
		if r.Code == "poison" {
			return history.Refuse(errors.New("a value that it does not store"))
		}
	}
	locked := func(f func()) {
		h.mu.Lock()
		defer h.mu.Unlock()
		f()
	}
	switch {
	case sound || dice < 40:
		locked(func() { h.commit(b) })
		return nil
	case dice < 60:
		return errors.New("no answer")
	case dice < 70: // the answer is lost; gaps would be told twice, as they have no other key
		locked(func() {
			told := h.told
			h.commit(b)
			h.told = told
		})
		return errors.New("connection reset in COMMIT")
	case dice < 80:
		<-ctx.Done()
		return ctx.Err()
	case dice < 85:
		select { // longer than it may
		case <-time.After(time.Minute):
		case <-h.returns:
		}
		return errors.New("too late")
	case dice < 90:
		panic("out of luck")
	case dice < 93:
		runtime.Goexit()
	}
	b.Runs = append(b.Runs, run(-1, "garbage"))
	clear(b.Runs)
	return fmt.Errorf("schema: %w", history.ErrIncompatible)
}

// Whatever the sink does: rows that were written, dropped or left in the spool
// are those that came, the sink has each row that counts as written, and gaps
// tell how many were dropped. A next recorder writes what the spool has.
func TestRecorder_AccountsForEachRow(t *testing.T) {
	for seed := range *seeds {
		synctest.Test(t, func(t *testing.T) { play(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// play plays one course.
func play(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 1))
	sink := &hostile{
		rand:    rand.New(rand.NewPCG(seed, 2)),
		runs:    map[history.RunKey]history.Run{},
		returns: make(chan struct{}),
	}
	var o history.Options
	if seed%3 == 0 {
		o.Spool = filepath.Join(t.TempDir(), "spool")
		o.SpoolBytes = 20_000 + dice.Int64N(400_000)
	}
	rec := history.New(sink, o)
	results := []failover.Result{"ok", "ok", "ok", "skipped", "failed", "lost", "replaced", "handed over", "of 2030"}
	n, poison := 0, 0
	for range 5 + dice.IntN(20) {
		count := dice.IntN(60)
		if seed%10 == 1 {
			count *= 200 // more than the buffer holds
		}
		for range count {
			r := run(n, results[dice.IntN(len(results))])
			if dice.IntN(400) == 0 {
				r.Code = "poison"
				poison++
			}
			rec.AddRun(r)
			n++
		}
		time.Sleep(time.Duration(dice.IntN(20_000)) * time.Millisecond)
		if dice.IntN(4) == 0 {
			sink.mu.Lock()
			sink.sound = !sink.sound
			sink.mu.Unlock()
		}
	}
	began := time.Now()
	err := rec.Close(context.Background())
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %s", took)
	}
	close(sink.returns)
	synctest.Wait() // calls that hung have returned
	s := rec.Stats()
	checkSums(t, s)
	dropped := sum(s.Dropped)
	if (err != nil) != (dropped > 0) {
		t.Errorf("%d rows were dropped, and Close returned %v", dropped, err)
	}
	missing := n - len(sink.runs)
	if missing < 0 || uint64(missing) > dropped+sum(s.Spooled) {
		t.Errorf("the sink lacks %d of %d runs; %d were dropped and %d spooled", missing, n, dropped, sum(s.Spooled))
	}
	if o.Spool == "" {
		return
	}
	sink = &hostile{
		rand:    sink.rand,
		sound:   true,
		runs:    sink.runs,
		told:    sink.told,
		returns: make(chan struct{}),
	}
	next := history.New(sink, o)
	next.Start()
	time.Sleep(time.Minute)
	_ = next.Close(context.Background())
	after := next.Stats()
	checkSums(t, after)
	if sum(after.Restored) < sum(s.Spooled) || after.SpoolRows > 0 {
		t.Errorf("%d rows were spooled, and %d restored; %d are left",
			sum(s.Spooled), sum(after.Restored), after.SpoolRows)
	}
	missing = n - len(sink.runs)
	if uint64(missing) > dropped+sum(after.Dropped) {
		t.Errorf("the sink lacks %d of %d runs; %d were dropped, and then %d", missing, n, dropped, sum(after.Dropped))
	}
	if missing < poison {
		t.Errorf("the sink has rows that it refused")
	}
	lost := dropped - s.Dropped["gap"] + sum(after.Dropped) - after.Dropped["gap"]
	if uint64(sink.told) != lost {
		t.Errorf("gaps tell of %d rows, and %d were dropped", sink.told, lost)
	}
}

// While a sink hangs, adding a row does not wait, and Close ends in time.
func TestRecorder_SinkHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		var calls atomic.Int64
		rec := history.New(sinkFunc(func(context.Context, history.Batch) error {
			calls.Add(1)
			<-end
			return nil
		}), history.Options{})
		began := time.Now()
		for i := range 20_000 {
			rec.AddRun(run(i, "ok"))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("adding rows waited %s", took)
		}
		time.Sleep(10 * time.Minute)
		if s := rec.Stats(); s.State != history.StateFailing || calls.Load() != 1 || s.BufferBytes > 9<<20 {
			t.Errorf("after ten minutes: %d calls, %+v", calls.Load(), s)
		}
		began = time.Now()
		if err := rec.Close(context.Background()); err == nil {
			t.Error("Close says nothing of the rows that were dropped")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Close took %s", took)
		}
		checkSums(t, rec.Stats())
	})
}

// Close ends when its context does.
func TestRecorder_CloseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := history.New(sinkFunc(func(ctx context.Context, _ history.Batch) error {
			<-ctx.Done()
			return ctx.Err()
		}), history.Options{})
		rec.AddRun(run(1, "ok"))
		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if err := rec.Close(ctx); err == nil {
			t.Error("Close says nothing of the row that was dropped")
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Close took %s, want 1s", took)
		}
	})
}

// A failing sink is not tried more often than its pauses allow, and recovers by
// itself. Each change of state is one report.
func TestRecorder_PausesWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		var broken atomic.Bool
		broken.Store(true)
		rec := history.New(sinkFunc(func(context.Context, history.Batch) error {
			calls.Add(1)
			if broken.Load() {
				return errors.New("no answer")
			}
			return nil
		}), history.Options{})
		var reports []string
		stop := rec.Watch(func(p history.Report) { reports = append(reports, p.Code) })
		defer stop()
		rec.AddRun(run(1, "ok"))
		time.Sleep(10 * time.Minute)
		if n := calls.Load(); n < 20 || n > 60 {
			t.Errorf("%d calls in ten minutes, want 20 to 60", n)
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if err := rec.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if got := strings.Join(reports, ", "); got != "history_failing, history_recovered" {
			t.Errorf("reports: %s", got)
		}
	})
}

// A row that the sink refuses, or over which it panics each time, is dropped by
// itself.
func TestRecorder_IsolatesPoison(t *testing.T) {
	for name, fault := range map[string]func() error{
		"refused": func() error { return history.Refuse(errors.New("value out of range")) },
		"panics":  func() error { panic("index out of range") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ring := history.NewRing(0)
				rec := history.New(sinkFunc(func(ctx context.Context, b history.Batch) error {
					for _, r := range b.Runs {
						if r.Fence == 78 {
							return fault()
						}
					}
					return ring.Write(ctx, b)
				}), history.Options{})
				var detail string
				rec.Watch(func(p history.Report) { detail += p.Code + " " + p.Detail + "\n" })
				for i := range 200 {
					rec.AddRun(run(i, "ok"))
				}
				time.Sleep(10 * time.Minute)
				_ = rec.Close(context.Background())
				s := rec.Stats()
				if s.Written["ok"] != 199 || s.Dropped["ok"] != 1 || s.Written["gap"] != 1 {
					t.Errorf("got %+v", s)
				}
				if !strings.Contains(detail, "the run report/0#78") {
					t.Errorf("the reports do not name the row: %s", detail)
				}
				checkSums(t, s)
			})
		})
	}
}

// Texts that databases refuse are replaced and cut before a sink sees them.
func TestRecorder_CleansTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := history.NewRing(0)
		rec := history.New(ring, history.Options{})
		r := run(1, "failed")
		r.Error = "a\x00b\xe2\x82" + strings.Repeat("x", 1<<20)
		r.Started = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)
		rec.AddRun(r)
		_ = rec.Close(context.Background())
		p, err := ring.Runs(context.Background(), history.RunQuery{Namespace: "n", Job: "report"})
		if err != nil || len(p.Items) != 1 {
			t.Fatalf("got %v, %v", p, err)
		}
		got := p.Items[0]
		isCut := strings.HasPrefix(got.Error, "a\uFFFDb\uFFFDx") && len(got.Error) <= history.MaxError
		if !isCut || got.Started.Year() != 9999 {
			t.Errorf("got %.20q of %d bytes, %s", got.Error, len(got.Error), got.Started)
		}
	})
}

// Adding a run takes two allocations at the most: the row, and now and then
// room for it.
func TestRecorder_AddAllocatesLittle(t *testing.T) {
	rec := history.New(sinkFunc(func(context.Context, history.Batch) error { return nil }), history.Options{})
	defer func() { _ = rec.Close(context.Background()) }()
	r := run(1, "ok")
	if n := testing.AllocsPerRun(5000, func() { rec.AddRun(r) }); n > 2 {
		t.Errorf("%v allocations, want at most 2", n)
	}
}

func BenchmarkRecorder_AddRun(b *testing.B) {
	rec := history.New(sinkFunc(func(context.Context, history.Batch) error { return nil }), history.Options{})
	defer func() { _ = rec.Close(context.Background()) }()
	r := run(1, "ok")
	b.ReportAllocs()
	for b.Loop() {
		rec.AddRun(r)
	}
}
