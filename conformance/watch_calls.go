package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// watchCalls: starting, reading and closing watches, many at a time.
func watchCalls() []testCase {
	return []testCase{
		{name: "WAT/CloseUnblocksNext", run: closeUnblocksNext},
		{name: "WAT/StoreCloseEndsAll", run: storeCloseEndsWatches},
		{name: "WAT/CtxEndsNextOnly", run: ctxEndsNextOnly},
		{name: "WAT/CtxEndsStartOnly", run: watchCtxEndsStartOnly},
		{name: "WAT/ImpatientNext", run: impatientNext},
		{name: "WAT/Hundred", run: hundredWatches},
		{name: "WAT/SamePrefix", run: samePrefix},
	}
}

func closeUnblocksNext(t *test) {
	c := t.open()
	for range 10 {
		f := t.follow(c, "d")
		f.reset()
		errs := make(chan error)
		go func() {
			_, err := f.watch.Next(t.ctx())
			errs <- err
		}()
		t.all(2, func(int) error { return f.watch.Close() })
		select {
		case err := <-errs:
			t.want("Next during Close", err, store.ErrClosed)
		case <-time.After(slack):
			t.Fatalf("Next did not return within %v of Close", slack)
		}
		_, err := f.watch.Next(t.ctx())
		t.want("Next after Close", err, store.ErrClosed)
		t.want("Close once more", f.watch.Close(), nil)
	}
}

func storeCloseEndsWatches(t *test) {
	c := t.open()
	var fs []*follower
	for i := range 5 {
		f := t.follow(c, fmt.Sprintf("d%d", i))
		f.reset()
		fs = append(fs, f)
	}
	errs := make(chan error, len(fs))
	for _, f := range fs {
		go func() {
			_, err := f.watch.Next(t.ctx())
			errs <- err
		}()
	}
	t.want("close store", c.Close(t.ctx()), nil)
	for range fs {
		select {
		case err := <-errs:
			t.want("Next during Close of the store", err, store.ErrClosed)
		case <-time.After(slack):
			t.Fatalf("Next did not return within %v of Close", slack)
		}
	}
	t.want("close a watch of a closed store", fs[0].watch.Close(), nil)
}

func ctxEndsNextOnly(t *test) {
	writer, reader := t.open(), t.open()
	f := t.follow(reader, "d")
	f.reset()
	_, err := f.next(t.within(20 * time.Millisecond))
	t.want("Next", err, context.DeadlineExceeded)
	ctx, cancel := t.cancellable()
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = f.next(ctx)
	t.want("Next", err, context.Canceled)
	writer.do(nil, store.Create("d/k", nil))
	_, err = f.next(t.ended())
	t.want("Next with a ctx that has ended", err, context.Canceled)
	f.untilEqual(writer.list("d"))
}

func watchCtxEndsStartOnly(t *test) {
	c := t.open()
	ctx, cancel := t.cancellable()
	w, err := c.Watch(ctx, "d")
	t.want("watch", err, nil)
	t.Cleanup(func() { w.Close() })
	cancel()
	f := &follower{t: t, prefix: "d", watch: w, state: map[string]store.Entry{}}
	f.reset()
	c.do(nil, store.Create("d/k", nil))
	f.untilEqual(c.list("d"))
}

// A reader that gives up again and again must not lose what arrived while it
// gave up.
func impatientNext(t *test) {
	const n = 300
	writer, reader := t.open(), t.open()
	f := t.follow(reader, "d")
	f.reset()
	var seen atomic.Int32
	t.all(2, func(i int) error {
		if i == 0 {
			for k := range n {
				for end := time.Now().Add(patience); int(seen.Load()) < k-1 && time.Now().Before(end); {
					time.Sleep(50 * time.Microsecond) // so that the reader waits for most of the keys
				}
				op := store.Create(fmt.Sprintf("d/%03d", k), nil)
				if _, err := writer.Commit(t.ctx(), store.Txn{Do: []store.Op{op}}); err != nil {
					return err
				}
			}
			return nil
		}
		rand := t.rand(i)
		for end := time.Now().Add(patience); len(f.state) < n; {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(500))*time.Microsecond)
			_, err := f.next(ctx)
			cancel()
			seen.Store(int32(len(f.state)))
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			if time.Now().After(end) {
				return fmt.Errorf("saw %d of %d keys", len(f.state), n)
			}
		}
		return nil
	})
	f.untilEqual(writer.list("d"))
}

func hundredWatches(t *test) {
	const n = 100
	writer, reader := t.open(), t.open()
	var fs []*follower
	for i := range n {
		fs = append(fs, t.follow(reader, fmt.Sprintf("d/%d", i)))
	}
	for _, f := range fs {
		f.reset()
	}
	for i := 0; i < n; i += 10 {
		var ops []store.Op
		for k := i; k < i+10; k++ {
			ops = append(ops, store.Create(fmt.Sprintf("d/%d/k", k), nil))
		}
		writer.do(nil, ops...)
	}
	for i, f := range fs {
		f.until("its key is seen", func() bool { return len(f.state) == 1 })
		if want := fmt.Sprintf("d/%d/k", i); f.keys()[0] != want {
			t.Fatalf("watch %d saw %q, want %s", i, f.keys(), want)
		}
	}
}

func samePrefix(t *test) {
	writer, reader := t.open(), t.open()
	var fs []*follower
	for range 20 {
		fs = append(fs, t.follow(reader, "d"))
	}
	fs[0].reset()
	fs[0].watch.Close() // the others live on
	for i := range 10 {
		writer.do(nil, store.Create(fmt.Sprintf("d/%d", i), nil))
	}
	want := writer.list("d")
	for _, f := range fs[1:] {
		f.untilEqual(want)
	}
}
