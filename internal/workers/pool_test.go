package workers

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Each task begins at once, however many others block.
func TestPool_BlockedTasksDelayNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blocked, quick = 300, 200
		release := make(chan struct{})
		var began, done atomic.Int64
		p := New(func(blocks bool) {
			began.Add(1)
			if blocks {
				<-release
			}
			done.Add(1)
		})
		for i := range blocked {
			p.Add(true)
			if i < quick {
				p.Add(false)
			}
		}
		synctest.Wait()
		if b, d := began.Load(), done.Load(); b != blocked+quick || d != quick {
			t.Errorf("%d tasks began and %d returned, want %d and %d", b, d, blocked+quick, quick)
		}
		close(release)
		synctest.Wait()
		if d := done.Load(); d != blocked+quick {
			t.Errorf("%d tasks returned, want %d", d, blocked+quick)
		}
		if n := len(p.resting); n == 0 || n > p.rest {
			t.Errorf("%d goroutines rest, want 1 to %d", n, p.rest)
		}
		p.Close()
	})
}

// A batch of blocking tasks needs one call of Add, and a goroutine each.
func TestPool_GrowsWithBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var together, most atomic.Int64
		p := New(func(int) {
			n := together.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Second)
			together.Add(-1)
		})
		p.Add(make([]int, 1000)...)
		began := time.Now()
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if n := together.Load(); n != 0 || most.Load() != 1000 {
			t.Errorf("after %s %d tasks run, at most %d ran together; want 0 and 1000",
				time.Since(began), n, most.Load())
		}
		p.Close()
	})
}

// A task that ends its goroutine takes no other task with it.
func TestPool_TaskEndsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		p := New(func(exits bool) {
			done.Add(1)
			if exits {
				runtime.Goexit()
			}
		})
		tasks := make([]bool, 500)
		for i := range tasks {
			tasks[i] = i%2 == 0
		}
		p.Add(tasks...)
		synctest.Wait()
		if n := done.Load(); n != 500 {
			t.Errorf("%d tasks were run, want 500", n)
		}
		p.Close()
	})
}

// A closed pool leaves no goroutine behind but those of tasks that block, and
// runs what was added.
func TestPool_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var done atomic.Int64
		p := New(func(blocks bool) {
			if blocks {
				<-release
			}
			done.Add(1)
		})
		p.Add(true, false, true, false)
		synctest.Wait()
		p.Close()
		p.Add(false)
		synctest.Wait()
		if n := done.Load(); n != 3 {
			t.Errorf("%d tasks returned, want the 3 that do not block", n)
		}
		close(release)
		synctest.Wait()
		if n := done.Load(); n != 5 {
			t.Errorf("%d tasks returned, want 5", n)
		}
		p.Close() // again does nothing
	})
}

// Tasks are added by many goroutines, and each is run once.
func TestPool_RunsEachTaskOnce(t *testing.T) {
	const adders, tasks = 8, 5000
	var counts [adders * tasks]atomic.Int32
	var left sync.WaitGroup
	left.Add(len(counts))
	p := New(func(i int) {
		counts[i].Add(1)
		left.Done()
		if i%97 == 0 {
			runtime.Gosched()
		}
	})
	var adding sync.WaitGroup
	for a := range adders {
		adding.Go(func() {
			for i := range tasks {
				p.Add(a*tasks + i)
			}
		})
	}
	adding.Wait()
	left.Wait()
	p.Close()
	for i := range counts {
		if n := counts[i].Load(); n != 1 {
			t.Fatalf("task %d was run %d times", i, n)
		}
	}
}

func BenchmarkPool(b *testing.B) {
	var left sync.WaitGroup
	p := New(func(*int) { left.Done() })
	defer p.Close()
	batch := make([]*int, 64)
	b.ReportAllocs()
	for n := 0; b.Loop(); n += len(batch) {
		left.Add(len(batch))
		p.Add(batch...)
		left.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/task")
}
