// Quickstart shows how a sharded job survives failures. It takes half a minute
// and needs nothing installed.
//
// Three instances share six shards. Instance b crashes during its runs, and the
// others take these runs over. Then b comes back, and c drains. At the end the
// program compares the fires that were due with the work that was done. It fails
// if a fire was lost or ran twice.
//
//	go run ./examples/quickstart
//
// The three instances are three schedulers in this process, on the memory store.
// In production each is a process on its own machine, and they share a store:
// see examples/worker.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// job is the job that the three instances share.
var job = elastic.Job{
	Name:     "report",
	Schedule: "0/2 * * * * ?", // every two seconds
	Shards:   6,
	Failover: true,               // another instance repeats the run of one that crashed
	Misfire:  elastic.MisfireAll, // fires that came due in the meantime run late, one by one
}

const (
	work = 900 * time.Millisecond  // the duration of a run
	ttl  = 1500 * time.Millisecond // of a session: the others learn of a crash after it; usually 10 s
)

// machine is an instance and the simulated computer that it runs on.
type machine struct {
	name   string
	client *memory.Client     // its connection to the store
	leave  context.CancelFunc // makes it drain, as SIGTERM does
	left   chan struct{}      // closed when Run has returned
	err    error              // of Run
	off    bool               // it has crashed; the ledger's mutex guards this field
}

// boot starts an instance. This is the part that a user writes: connect to the
// store, add the job, run.
func (s *show) boot(name string) *machine {
	ctx, leave := context.WithCancel(context.Background())
	m := &machine{name: name, client: s.server.Connect(name), leave: leave, left: make(chan struct{})}

	// A real program calls elastic.Open(ctx, "etcd://host/namespace").
	scheduler, err := elastic.New(store.NewPortable(m.client, store.Config{}),
		elastic.WithName(name),
		elastic.WithSessionTTL(ttl),
		elastic.WithJoinDelay(500*time.Millisecond),
		elastic.WithEvents(func(e elastic.Event) { s.board.event(m, e) }))
	if err != nil {
		panic(err) // an option is invalid: a bug in this program
	}
	scheduler.MustAdd(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		begun := s.ledger.begin(m, run)
		select {
		case <-time.After(work): // a real handler works on part run.Shard of run.Shards here
			s.ledger.end(begun, true)
			return nil
		case <-ctx.Done():
			s.ledger.end(begun, false)
			return context.Cause(ctx)
		}
	}))
	go func() {
		defer close(m.left)
		m.err = scheduler.Run(ctx)
	}()
	s.machines = append(s.machines, m)
	s.board.show(m, "alive")
	return m
}

// crash simulates a power failure: nothing on m has an effect from now on, and
// its session is not closed.
func (s *show) crash(m *machine) {
	s.ledger.powerOff(m)
	m.client.Crash()
	m.leave() // ends its goroutines
	s.board.show(m, "crashed")
}

// show is the state of the demonstration.
type show struct {
	server   *memory.Server
	ledger   *ledger
	board    *board
	machines []*machine // all that were started
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	s := &show{server: memory.NewServer(), ledger: &ledger{}}
	s.board = newBoard(os.Stdout, s.ledger)
	stopBoard := s.board.live()
	end, err := s.play(ctx)
	for _, m := range s.machines {
		m.leave()
		<-m.left
	}
	stopBoard()
	if ctx.Err() != nil {
		fmt.Println("Interrupted: the live instances have drained.")
		return
	}
	if err == nil {
		err = s.sum(end)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// scene is a step of the demonstration: it waits for a condition, then acts.
type scene struct {
	await string
	ready func() bool
	then  func()
}

// play runs the scenes. It returns the time at which the last instances began to
// drain, or an error if a condition is not met in time.
func (s *show) play(ctx context.Context) (end time.Time, err error) {
	say, l := s.board.say, s.ledger
	say("three instances share %d shards of the job %q", job.Shards, job.Name)
	a, b, c := s.boot("a"), s.boot("b"), s.boot("c")
	var (
		crashed time.Time
		cut     []run
		full    int
	)
	for _, next := range []scene{
		{"two full fires", func() bool { return l.full() == 2 }, func() {}},

		{"b to be half done with its runs", func() bool { return l.middle(b) }, func() {
			s.crash(b)
			crashed, cut = time.Now(), l.cutOff(b)
			say("b crashes while it runs %s", shards(cut))
		}},
		{"the others to finish the runs of b", func() bool { return l.done(cut) }, func() {
			say("the unfinished runs of b are done, %.1f s after its crash", time.Since(crashed).Seconds())
		}},
		{"the others to run the fires that came due", s.upToDate, func() {
			say("the fires that came due in the meantime are done, too")
			b = s.boot("b")
			say("b starts again")
		}},

		{"b and c to be half done with their runs", func() bool { return l.middle(b) && l.middle(c) }, func() {
			c.leave()
			s.board.show(c, "draining")
			say("c drains: its shards move at once, and it finishes its runs")
		}},
		{"c to leave", func() bool { return closed(c.left) }, func() {
			s.board.show(c, "left")
			full = l.full()
		}},

		{"two more full fires", func() bool { return l.full() >= full+2 && s.upToDate() }, func() {
			end = time.Now()
			a.leave()
			b.leave()
		}},
		{"all to leave", func() bool { return closed(a.left) && closed(b.left) }, func() {
			s.board.show(a, "left")
			s.board.show(b, "left")
		}},
	} {
		if err := until(ctx, next.await, next.ready); err != nil {
			return end, err
		}
		next.then()
	}
	return end, errors.Join(a.err, b.err, c.err)
}

// sum compares the fires that were due before end with the work that was done,
// prints the result, and returns an error if a promise was broken.
func (s *show) sum(end time.Time) error {
	entries := s.server.Dump()
	due := fires(entries, end)
	t := count(due, job.Shards, s.ledger.all())
	t.left = leftovers(entries, due)
	s.board.sum(t)
	return t.fault()
}

// upToDate reports whether every due fire is done and the next one is at least
// half a second away.
func (s *show) upToDate() bool {
	now := time.Now()
	due, soon := fires(s.server.Dump(), now), fires(s.server.Dump(), now.Add(500*time.Millisecond))
	return len(due) > 0 && len(soon) == len(due) && len(count(due, job.Shards, s.ledger.all()).lost) == 0
}

// until waits until ok returns true, for at most 15 seconds.
func until(ctx context.Context, what string, ok func() bool) error {
	const limit = 15 * time.Second
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s: not seen within %s", what, limit)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return ctx.Err()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
