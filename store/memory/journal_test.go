package memory_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// slowDisk is a journal that keeps a record when it is told to.
type slowDisk struct {
	mu       sync.Mutex
	records  []memory.Record
	receipts []*memory.Receipt
}

func (d *slowDisk) Append(r memory.Record) *memory.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, r)
	d.receipts = append(d.receipts, memory.NewReceipt())
	return d.receipts[len(d.receipts)-1]
}

func (d *slowDisk) settle(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.receipts {
		r.Settle(err)
	}
	d.receipts = nil
}

// onDisk runs f in a bubble with two clients of a server that starts with
// k=old@7.
func onDisk(t *testing.T, f func(t *testing.T, d *slowDisk, a, b *memory.Client)) {
	vtime.Test(t, func(t *testing.T) {
		d := &slowDisk{}
		from := memory.Record{Rev: 9, Put: []store.Entry{{Key: "k", Value: []byte("old"), Version: 7, Created: 5}}}
		s := memory.NewServer(memory.Journaled(d, from))
		a, b := s.Connect("a"), s.Connect("b")
		f(t, d, a, b)
		a.Close(t.Context())
		b.Close(t.Context())
	})
}

func set(key, value string) store.Txn {
	return store.Txn{Do: []store.Op{store.Set(key, []byte(value))}}
}

func TestServerStartsWithWhatAJournalKept(t *testing.T) {
	onDisk(t, func(t *testing.T, d *slowDisk, a, b *memory.Client) {
		e, err := a.Get(t.Context(), "k")
		if err != nil || string(e.Value) != "old" || e.Version != 7 || e.Created != 5 {
			t.Errorf("got %+v, %v", e, err)
		}
		go func() { synctest.Wait(); d.settle(nil) }()
		ss, err := a.NewSession(t.Context(), store.SessionOptions{})
		if err != nil || ss.Token() != 10 {
			t.Errorf("token %d, %v; want the one after what was kept", ss.Token(), err)
		}
	})
}

func TestNothingIsSeenBeforeItIsKept(t *testing.T) {
	onDisk(t, func(t *testing.T, d *slowDisk, a, b *memory.Client) {
		w, err := b.Watch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if u, err := w.Next(t.Context()); err != nil || string(u.Entries[0].Value) != "old" {
			t.Fatal(u, err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		late := func(what string, f func() error) {
			wg.Go(func() {
				if err := f(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if d := time.Since(start); d != time.Second {
					t.Errorf("%s after %v, want it when the disk was done", what, d)
				}
			})
		}
		late("commit", func() error { _, err := a.Commit(t.Context(), set("k", "new")); return err })
		synctest.Wait()
		late("get", func() error { _, err := b.Get(t.Context(), "k"); return err })
		late("list", func() error { _, err := b.List(t.Context(), ""); return err })
		late("conflict", func() error {
			_, err := b.Commit(t.Context(), store.Txn{If: []store.Cond{store.At("k", 7)}})
			if errors.Is(err, store.ErrConflict) {
				return nil
			}
			return errors.New("no conflict")
		})
		late("watch", func() error {
			impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if u, err := w.Next(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the watch shows %v, %v", u, err)
			}
			u, err := w.Next(t.Context())
			if err == nil && (u.Reset || len(u.Entries) != 1 || string(u.Entries[0].Value) != "new") {
				t.Errorf("the watch shows %+v", u)
			}
			return err
		})
		time.Sleep(time.Second)
		d.settle(nil)
		wg.Wait()
	})
}

func TestCommitThatIsNotKeptInTimeIsUnknownAndFinalOnceRead(t *testing.T) {
	onDisk(t, func(t *testing.T, d *slowDisk, a, b *memory.Client) {
		go func() { synctest.Wait(); d.settle(nil) }()
		ss, err := a.NewSession(t.Context(), store.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		txn := set("k", "new")
		txn.Session = ss
		if _, err := a.Commit(ctx, txn); !errors.Is(err, store.ErrUnknown) || time.Since(start) != time.Second {
			t.Errorf("commit: %v after %v, want ErrUnknown after a second", err, time.Since(start))
		}
		go func() { time.Sleep(time.Second); d.settle(nil) }()
		if e, err := a.Get(t.Context(), "k"); err != nil || string(e.Value) != "new" || time.Since(start) != 2*time.Second {
			t.Errorf("read %q, %v after %v, want it when the disk was done", e.Value, err, time.Since(start))
		}
	})
}

func TestServerIsLostWhenItsJournalFails(t *testing.T) {
	onDisk(t, func(t *testing.T, d *slowDisk, a, b *memory.Client) {
		go func() { synctest.Wait(); d.settle(nil) }()
		ss, err := b.NewSession(t.Context(), store.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := b.Watch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		w.Next(t.Context())
		go func() { synctest.Wait(); d.settle(io.ErrShortWrite) }()
		_, err = a.Commit(t.Context(), set("k", "new"))
		if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("commit: %v, want ErrUnknown with its cause", err)
		}
		if u, err := w.Next(t.Context()); err != nil || !u.Stale || len(u.Entries) > 0 {
			t.Errorf("the watch shows %+v, %v; want Stale", u, err)
		}
		if _, err := w.Next(t.Context()); !errors.Is(err, store.ErrEnded) {
			t.Errorf("then it ends with %v, want ErrEnded", err)
		}
		if _, err := a.Commit(t.Context(), set("k", "x")); !errors.Is(err, store.ErrEnded) || errors.Is(err, store.ErrUnknown) {
			t.Errorf("a later commit: %v, want ErrEnded", err)
		}
		if _, err := b.Get(t.Context(), "k"); !errors.Is(err, store.ErrEnded) {
			t.Errorf("a later read: %v, want ErrEnded", err)
		}
		deadline := ss.Deadline()
		<-ss.Done()
		if !time.Now().Equal(deadline) {
			t.Error("the session was renewed")
		}
	})
}

func TestEphemeralKeysAreNotKeptButTheirNumbersAre(t *testing.T) {
	onDisk(t, func(t *testing.T, d *slowDisk, a, b *memory.Client) {
		go func() {
			for range 3 {
				time.Sleep(time.Millisecond)
				d.settle(nil)
			}
		}()
		ss, err := a.NewSession(t.Context(), store.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		txn := store.Txn{Session: ss, Do: []store.Op{store.CreateEphemeral("e", nil), store.Create("l", nil)}}
		if _, err := a.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Commit(t.Context(), set("e", "x")); err != nil {
			t.Fatal(err)
		}
		var puts []string
		for i, r := range d.records {
			if r.Rev != uint64(10+i) {
				t.Errorf("record %d has revision %d", i, r.Rev)
			}
			for _, e := range r.Put {
				puts = append(puts, e.Key)
			}
		}
		if len(d.records) != 3 || len(puts) != 1 || puts[0] != "l" {
			t.Errorf("kept %v", d.records)
		}
	})
}

// racingDisk keeps each record at about the time at which somebody asks whether
// it has.
type racingDisk struct{}

func (racingDisk) Append(memory.Record) *memory.Receipt {
	r := memory.NewReceipt()
	go func() {
		for start, d := time.Now(), time.Duration(rand.IntN(5000)); time.Since(start) < d; {
		}
		r.Settle(nil)
	}()
	return r
}

func TestAnUpdateThatIsKeptWhileTheWatchLooksIsNotLost(t *testing.T) {
	const n = 20000
	c := memory.NewServer(memory.Journaled(racingDisk{}, memory.Record{})).Connect("client")
	defer c.Close(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w, err := c.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() {
		for i := range n {
			if _, err := c.Commit(ctx, store.Txn{Do: []store.Op{store.Create("k"+strconv.Itoa(i), nil)}}); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	over := make(chan struct{})
	close(over)
	for seen := 0; seen < n; { // it looks all the time and never waits, so that it looks at the wrong time often
		u, err := w.Next(hurry{ctx, over})
		if err != nil && !errors.Is(err, context.Canceled) || ctx.Err() != nil {
			t.Fatalf("after %d of %d keys: %v, %v", seen, n, err, ctx.Err())
		}
		seen += len(u.Entries)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
}

// hurry is a context that ends as soon as one waits for it, and not before.
type hurry struct {
	context.Context
	over chan struct{}
}

func (h hurry) Done() <-chan struct{} { return h.over }
