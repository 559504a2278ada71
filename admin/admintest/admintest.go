// Package admintest has the tests of package admin's API: one suite for every
// implementation and every store.
//
//	func TestAPI(t *testing.T) {
//		admintest.Run(t, func(t *testing.T) *admintest.World { … })
//	}
package admintest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/store"
)

// World is an empty namespace for one case.
type World struct {
	// API is the implementation to test. It acts as "li".
	API admin.API

	// Open opens the store of the namespace once more: to look, to write what
	// an operator could not, and to start instances. The world closes it.
	Open func(t *testing.T) store.Store

	// Counts returns the requests that API has sent to the store; nil if they
	// can't be counted.
	Counts func() store.Counts

	t *testing.T
}

// Run runs the suite. newWorld is called once for each case.
func Run(t *testing.T, newWorld func(t *testing.T) *World) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.t = t
			c.run(w)
		})
	}
}

// testCase is one claim about the API.
type testCase struct {
	name string // group, slash, claim
	run  func(w *World)
}

func cases() []testCase {
	var all []testCase
	all = append(all, jobCases()...)
	all = append(all, inputCases()...)
	all = append(all, writeCases()...)
	all = append(all, signalCases()...)
	all = append(all, instanceCases()...)
	all = append(all, readCases()...)
	return append(all, namespaceCases()...)
}

func (w *World) ctx() context.Context { return w.t.Context() }

// report is the job that most cases are about.
func report() elastic.Job {
	return elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 3}
}

// apply stores a job.
func (w *World) apply(job elastic.Job) admin.Receipt {
	w.t.Helper()
	r, err := w.API.Apply(w.ctx(), job)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// config returns a job as it is stored.
func (w *World) config(name string) elastic.Job {
	w.t.Helper()
	d, err := w.API.Job(w.ctx(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Config
}

// wantError fails unless err is one.
func (w *World) wantError(got, want error) {
	w.t.Helper()
	if !errors.Is(got, want) {
		w.t.Errorf("got the error %v, want one that is %q", got, want)
	}
}

// ok fails unless there was no error.
func (w *World) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// audit returns the entries of the audit, the latest first.
func (w *World) audit() []admin.Receipt {
	w.t.Helper()
	page, err := w.API.Audit(w.ctx(), admin.AuditQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Entries
}

// start starts an instance with jobs, and returns when it has joined. It leaves
// when the case ends.
func (w *World) start(name string, h elastic.Handler, jobs ...elastic.Job) *elastic.Scheduler {
	w.t.Helper()
	s, err := elastic.New(w.Open(w.t), elastic.WithName(name), elastic.WithDrainTimeout(100*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range jobs {
		s.MustAdd(j, h)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(context.Background())
	}()
	w.t.Cleanup(func() {
		s.Close()
		<-done
	})
	select {
	case <-s.Ready():
	case <-done:
		w.t.Fatalf("%s ended before it joined", name)
	}
	return s
}

// until waits for a condition.
func (w *World) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			w.t.Fatalf("it did not come about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// put writes a key, whatever it holds.
func (w *World) put(key, value string) {
	w.t.Helper()
	s := w.Open(w.t)
	op := store.Create(key, []byte(value))
	if _, err := s.Get(w.ctx(), key); err == nil {
		op = store.Set(key, []byte(value))
	}
	if _, err := s.Commit(w.ctx(), store.Txn{Do: []store.Op{op}}); err != nil {
		w.t.Fatal(err)
	}
}

// nothing is a handler.
var nothing = elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })

// waits is a handler that returns when its context ends.
var waits = elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
	<-ctx.Done()
	return context.Cause(ctx)
})
