//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// fleet prints what instances that share jobs ask of a memory store in virtual
// time: when they start together, when one leaves, when one crashes, and when
// all are restarted one after the other.
func fleet(instances, jobs int) {
	tests := []testing.InternalTest{{Name: "fleet", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { measureFleet(t, instances, jobs) })
	}}}
	// Virtual time needs a test. Main ends the process.
	testing.Main(func(_, _ string) (bool, error) { return true, nil }, tests, nil, nil)
}

// world is the fleet and what it has asked of its store.
type world struct {
	t       *testing.T
	server  *memory.Server
	jobs    []elastic.Job
	members []*member
	boots   int

	commits, failed, written, read atomic.Int64
}

type member struct {
	client *memory.Client
	store  *store.Portable
	stop   context.CancelFunc
	done   chan struct{}
}

// traffic is a part of it.
type traffic struct{ commits, failed, written, read int64 }

const ttl = 10 * time.Second

func measureFleet(t *testing.T, instances, jobs int) {
	w := &world{t: t, server: memory.NewServer()}
	for i := range jobs {
		w.jobs = append(w.jobs, elastic.Job{
			Name:     fmt.Sprintf("job-%05d", i),
			Schedule: "0 0 0 1 1 ?",
			Shards:   3,
		})
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Printf("\nA fleet of %d instances and %d jobs of 3 shards on the memory store, in virtual time\n\n",
		instances, jobs)
	fmt.Fprintln(out, "event\tcommits\tfailed\tKB written\tKB read\tCPU ms an instance")
	row := func(name string, f func()) {
		before, began := w.total(), cpuTime()
		f()
		cpu := cpuTime() - began
		d := w.total()
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%.1f\n",
			name, d.commits-before.commits, d.failed-before.failed,
			(d.written-before.written)>>10, (d.read-before.read)>>10,
			float64(cpu.Microseconds())/1000/float64(instances))
	}
	row("all start at one instant", func() {
		for range instances {
			w.start()
		}
		time.Sleep(2 * time.Minute)
	})
	row("at rest for a minute", func() { time.Sleep(time.Minute) })
	row("one leaves", func() {
		w.leave(0)
		time.Sleep(time.Minute)
	})
	row("one joins", func() {
		w.start()
		time.Sleep(time.Minute)
	})
	row("one crashes", func() {
		m := w.members[0]
		w.members = w.members[1:]
		m.client.Crash()
		m.stop()
		time.Sleep(time.Minute + ttl)
	})
	restarts := min(instances, 10)
	row(fmt.Sprintf("%d restart, one after the other", restarts), func() {
		for range restarts {
			w.leave(0)
			w.start()
			time.Sleep(5 * time.Second)
		}
		time.Sleep(time.Minute)
	})
	out.Flush()
	for len(w.members) > 0 {
		w.leave(0)
	}
}

func (w *world) start() {
	w.boots++
	m := &member{client: w.server.Connect(fmt.Sprint("n", w.boots)), done: make(chan struct{})}
	m.store = store.NewPortable(m.client, store.Config{})
	m.store.Observe(func(r store.Request) {
		if r.Op != store.RequestCommit {
			return
		}
		w.commits.Add(1)
		if r.Outcome == store.OutcomeConflict {
			w.failed.Add(1)
		}
	})
	s, err := elastic.New(m.store, elastic.WithName(fmt.Sprint("n", w.boots)), elastic.WithSessionTTL(ttl))
	if err != nil {
		w.t.Fatal(err)
	}
	handler := elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })
	for _, j := range w.jobs {
		if err := s.Add(j, handler); err != nil {
			w.t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	w.members = append(w.members, m)
	go func() {
		defer close(m.done)
		_ = s.Run(ctx)
		c := m.store.Counts()
		w.written.Add(c.BytesWritten)
		w.read.Add(c.BytesRead)
		m.store = nil
	}()
}

// leave ends a member in good order.
func (w *world) leave(i int) {
	m := w.members[i]
	w.members = append(w.members[:i:i], w.members[i+1:]...)
	m.stop()
	<-m.done
}

func (w *world) total() traffic {
	synctest.Wait()
	t := traffic{
		commits: w.commits.Load(),
		failed:  w.failed.Load(),
		written: w.written.Load(),
		read:    w.read.Load(),
	}
	for _, m := range w.members {
		c := m.store.Counts()
		t.written += c.BytesWritten
		t.read += c.BytesRead
	}
	return t
}
