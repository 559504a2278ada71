package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// place is the part of a store that fails.
type place struct {
	keys  string // writes below this prefix fail; empty: none
	reads string // reads below this prefix fail; empty: none
	watch string // this prefix can't be watched; empty: none
	flaps bool   // the watch starts, shows the content and ends
}

// partly is a store that fails in one place and works in all others.
type partly struct {
	store.Store
	place
	how                    error
	commits, gets, watches atomic.Int64
}

func (p *partly) fails(key, prefix string) error {
	if prefix == "" || !strings.HasPrefix(key, prefix) {
		return nil
	}
	return fmt.Errorf("%w: not today", p.how)
}

func (p *partly) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	for _, op := range t.Do {
		if err := p.fails(op.Key, p.keys); err != nil {
			p.commits.Add(1)
			return store.Result{}, err
		}
	}
	return p.Store.Commit(ctx, t)
}

func (p *partly) Get(ctx context.Context, key string) (store.Entry, error) {
	if p.keys != "" && strings.HasPrefix(key, p.keys) {
		p.gets.Add(1)
	}
	if err := p.fails(key, p.reads); err != nil {
		p.gets.Add(1)
		return store.Entry{}, err
	}
	return p.Store.Get(ctx, key)
}

func (p *partly) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	if p.keys != "" && strings.HasPrefix(prefix+"/", p.keys) {
		p.gets.Add(1)
	}
	if err := p.fails(prefix, p.reads); err != nil {
		p.gets.Add(1)
		return nil, err
	}
	return p.Store.List(ctx, prefix)
}

func (p *partly) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if prefix != p.watch {
		return p.Store.Watch(ctx, prefix)
	}
	p.watches.Add(1)
	if !p.flaps {
		return nil, fmt.Errorf("%w: not today", p.how)
	}
	w, err := p.Store.Watch(ctx, prefix)
	return &flapping{Watch: w, how: p.how}, err
}

// flapping is a watch that ends after its first update.
type flapping struct {
	store.Watch
	how   error
	shown bool
}

func (f *flapping) Next(ctx context.Context) (store.Update, error) {
	if f.shown {
		return store.Update{}, f.how
	}
	f.shown = true
	return f.Watch.Next(ctx)
}

// A fault in one place of the store is retried less and less often, raises one
// alarm, and stops no other job.
func TestTrouble_StaysLocal(t *testing.T) {
	rows := []struct {
		name string
		at   place
	}{
		{"all records of a job", place{keys: "runs/sick/"}},
		{"one record", place{keys: "runs/sick/2"}},
		{"the assignment", place{keys: "assignments/sick"}},
		{"the job", place{keys: "jobs/sick"}},
		{"reads of a job's records", place{reads: "runs/sick"}},
		{"the watch on signals", place{watch: "signals", flaps: true}},
		{"the watch on the assignments", place{watch: "assignments", flaps: true}},
		{"the watch on jobs", place{watch: "jobs", flaps: true}},
		{"the watch on instances", place{watch: "instances", flaps: true}},
	}
	for _, row := range rows {
		for _, how := range []error{store.ErrUnknown, store.ErrUnavailable, store.ErrTooLarge} {
			if row.at.reads != "" && how != store.ErrUnavailable || row.at.watch != "" && how == store.ErrUnknown {
				continue // reads and watches do not end with this error
			}
			t.Run(fmt.Sprintf("%s/%v", row.name, how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					var began, late atomic.Int64
					var trouble, recovered []elastic.Event
					server := memory.NewServer()
					sick := &partly{Store: server.Connect("a"), how: how, place: row.at}
					s, err := elastic.New(
						store.NewPortable(sick, store.Config{}),
						elastic.WithName("a"),
						elastic.WithJoinDelay(0),
						elastic.WithEvents(func(e elastic.Event) {
							switch e.Kind {
							case observe.Trouble:
								trouble = append(trouble, e)
							case observe.Recovered:
								recovered = append(recovered, e)
							}
						}),
					)
					if err != nil {
						t.Fatal(err)
					}
					s.MustAdd(elastic.Job{
						Name:     "sick",
						Schedule: "* * * * * ?",
						Shards:   4,
					}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
					s.MustAdd(elastic.Job{
						Name:     "sound",
						Schedule: "* * * * * ?",
						Shards:   4,
					}, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
						began.Add(1)
						if time.Since(run.Fire) > 200*time.Millisecond && time.Since(start) > 6*time.Second {
							late.Add(1)
						}
						return nil
					}))
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					if err := s.Run(ctx); err != nil {
						t.Errorf("run: %v", err)
					}
					t.Logf(
						"failed: %d commits, %d reads, %d watches; %d alarms, %d recoveries; %d runs of the other job",
						sick.commits.Load(),
						sick.gets.Load(),
						sick.watches.Load(),
						len(trouble),
						len(recovered),
						began.Load(),
					)
					tries := max(sick.commits.Load(), sick.gets.Load(), sick.watches.Load())
					if tries > 40 || tries < 5 {
						t.Errorf("%d tries in 30 s, want a few, with pauses that grow to 5 s", tries)
					}
					if len(trouble) != 1 || len(recovered) != 0 {
						t.Errorf(
							"%d alarms and %d recoveries, want one alarm: %v %v",
							len(trouble),
							len(recovered),
							trouble,
							recovered,
						)
					}
					if n := began.Load(); n < 4*25 {
						t.Errorf("%d runs of the unaffected job, want 100 or more", n)
					}
					if late.Load() > 0 {
						t.Errorf("%d runs of the unaffected job began late", late.Load())
					}
				})
			})
		}
	}
}

// An alarm ends when the operation works again, and the next failure raises a
// new one.
func TestTrouble_EndsWithItsOwnRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 4}
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		c.Start("a")
		for round := 1; round <= 2; round++ {
			c.Client("a").OnRequest(func(r memory.Request) memory.Fault {
				lost := r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "runs/")
				return memory.Fault{LoseRequest: lost, Broken: lost}
			})
			c.Advance(20 * time.Second)
			if n := len(eventsOf(c, observe.Trouble)); n != round {
				t.Fatalf("%d alarms in failure %d: %v", n, round, eventsOf(c, observe.Trouble))
			}
			if n := len(eventsOf(c, observe.Recovered)); n != round-1 {
				t.Fatalf("%d recoveries in failure %d", n, round)
			}
			c.Client("a").OnRequest(nil)
			c.Advance(6 * time.Second)
			if n := len(eventsOf(c, observe.Recovered)); n != round {
				t.Fatalf("%d recoveries after failure %d", n, round)
			}
		}
	})
}

// A store that is unreachable raises one alarm, however many jobs and watches
// there are, and one event when it is back.
func TestTrouble_OneAlarmForWholeStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		for i := range 5 {
			job := elastic.Job{Name: fmt.Sprint("job", i), Schedule: "* * * * * ?", Shards: 2}
			c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		}
		c.Start("a")
		c.Advance(3 * time.Second)
		c.Client("a").OnRequest(func(memory.Request) memory.Fault { return memory.Fault{Refuse: true} })
		c.Advance(time.Minute)
		c.Client("a").OnRequest(nil)
		c.Advance(20 * time.Second)
		if n := len(eventsOf(c, observe.Trouble)); n != 1 {
			t.Errorf("%d alarms, want 1: %v", n, eventsOf(c, observe.Trouble))
		}
		if n := len(eventsOf(c, observe.Recovered)); n != 1 {
			t.Errorf("%d recoveries, want 1", n)
		}
	})
}

// cutting is a store behind a proxy that closes the connection on transactions
// above its limit.
type cutting struct {
	store.Store
	most int // bytes
	cuts atomic.Int64
}

func (c *cutting) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if t.Bytes() > c.most {
		c.cuts.Add(1)
		return store.Result{}, fmt.Errorf("%w: connection closed", store.ErrUnknown)
	}
	return c.Store.Commit(ctx, t)
}

// Transactions that repeatedly end unknown are halved until they get through.
// The suspicion is reported once, and the size is remembered.
func TestTrouble_HalvesLargeTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began atomic.Int64
		var suspected []elastic.Event
		proxy := &cutting{Store: memory.NewServer().Connect("a"), most: 5000}
		s, err := elastic.New(store.NewPortable(proxy, store.Config{}), elastic.WithName("a"), elastic.WithJoinDelay(0),
			elastic.WithEvents(func(e elastic.Event) {
				if e.Code == "transaction_size" {
					suspected = append(suspected, e)
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "* * * * * ?",
			Shards:   100,
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			began.Add(1)
			return nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
		if n := began.Load(); n < 100*26 {
			t.Errorf("%d runs in 30 s, want at least 2600", n)
		}
		if n := proxy.cuts.Load(); n > 20 {
			t.Errorf("%d transactions were cut off, want a few until the size is known", n)
		}
		if len(suspected) != 1 || !strings.Contains(suspected[0].Detail, "cut at a size") {
			t.Errorf("%d events about the suspicion, want 1: %+v", len(suspected), suspected)
		}
	})
}

// Run returns the error of a store that has ended for good, after its handlers
// were cancelled and returned.
func TestStore_EndedEndsRun(t *testing.T) {
	full := errors.New("no space left on device")
	rows := map[string]func(s store.Store, server *memory.Server){
		"it fails":           func(_ store.Store, server *memory.Server) { server.Fail(full) },
		"the user closes it": func(s store.Store, _ *memory.Server) { s.Close(context.Background()) },
	}
	for name, end := range rows {
		for _, idle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/idle=%v", name, idle), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := memory.NewServer()
					st := store.NewPortable(server.Connect("a"), store.Config{})
					s, err := elastic.New(st, elastic.WithName("a"), elastic.WithJoinDelay(0))
					if err != nil {
						t.Fatal(err)
					}
					var inside atomic.Int64
					if !idle {
						s.MustAdd(elastic.Job{
							Name:     "report",
							Schedule: "* * * * * ?",
							Shards:   2,
						}, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
							inside.Add(1)
							defer inside.Add(-1)
							<-ctx.Done()
							return nil
						}))
					}
					ended := make(chan error, 1)
					go func() { ended <- s.Run(t.Context()) }()
					time.Sleep(5 * time.Second)
					end(st, server)
					start := time.Now()
					err = <-ended
					if !errors.Is(err, store.ErrEnded) && !errors.Is(err, store.ErrClosed) {
						t.Errorf("Run: %v, want that the store has ended", err)
					}
					if name == "it fails" && !errors.Is(err, full) {
						t.Errorf("Run: %v, want the reason", err)
					}
					if strings.Contains(fmt.Sprint(err), "\n") {
						t.Errorf("the error has more than one line: %q", err)
					}
					if took := time.Since(start); took > time.Second {
						t.Errorf("Run returned after %s, want at once", took)
					}
					if inside.Load() > 0 {
						t.Errorf("%d handlers have not returned", inside.Load())
					}
				})
			})
		}
	}
}
