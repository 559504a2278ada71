// Quickstart shows, in half a minute and with nothing to install, what becomes of a sharded job when the machines that run it
// fail: three instances share six shards; one loses its power in the middle of its runs and the others take these over; it
// comes back; another leaves in good order. In the end the program counts what was due and what was done, and fails if
// anything was lost or done twice.
//
//	go run ./examples/quickstart
//
// The three instances are three schedulers in this process, on a store in its memory. In real life each is a process on a machine
// of its own, and the store is one that they share: see examples/worker.
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

// job is what the instances share.
var job = elastic.Job{
	Name:     "report",
	Schedule: "0/2 * * * * ?", // every two seconds
	Shards:   6,
	Failover: true,               // a run whose machine died is repeated by another
	Misfire:  elastic.MisfireAll, // and what came due meanwhile is made up for, fire by fire
}

const (
	work = 900 * time.Millisecond  // how long a run takes
	ttl  = 1500 * time.Millisecond // how long after a machine's death the others know; in real life 10 s or so
)

// machine is an instance and the computer that it runs on.
type machine struct {
	name   string
	client *memory.Client     // its connection to the store
	leave  context.CancelFunc // asks it to leave, as SIGTERM does
	left   chan struct{}      // closed when it has
	err    error              // what Run returned
	off    bool               // it has no power; the ledger's mutex guards it
}

// boot starts an instance. This is the part that a user writes: connect to the store, add the job, run.
func (s *show) boot(name string) *machine {
	ctx, leave := context.WithCancel(context.Background())
	m := &machine{name: name, client: s.server.Connect(name), leave: leave, left: make(chan struct{})}

	scheduler, err := elastic.New(store.NewPortable(m.client, store.Config{}), // elsewhere: elastic.Open(ctx, "etcd://host/namespace")
		elastic.WithName(name),
		elastic.WithSessionTTL(ttl),
		elastic.WithJoinDelay(500*time.Millisecond),
		elastic.WithEvents(func(e elastic.Event) { s.board.event(m, e) }))
	if err != nil {
		panic(err) // an option is wrong
	}
	scheduler.MustAdd(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		begun := s.ledger.begin(m, run)
		select {
		case <-time.After(work): // a real handler does the part run.Shard of run.Shards for the time run.Fire
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

// crash takes a machine's power away: nothing on it has any effect from now on, and it can't tell anybody.
func (s *show) crash(m *machine) {
	s.ledger.powerOff(m)
	m.client.Crash()
	m.leave() // its goroutines, that is
	s.board.show(m, "no power")
}

// show is what is on stage.
type show struct {
	server   *memory.Server
	ledger   *ledger
	board    *board
	machines []*machine // all that were ever started
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	s := &show{server: memory.NewServer(), ledger: &ledger{}}
	s.board = newBoard(os.Stdout, s.ledger)
	curtain := s.board.live()
	end, err := s.play(ctx)
	for _, m := range s.machines {
		m.leave()
		<-m.left
	}
	curtain()
	if ctx.Err() != nil {
		fmt.Println("Interrupted. Who was alive has left in good order.")
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

// scene is a step of the story: when something has come about, something is done.
type scene struct {
	await string
	ready func() bool
	then  func()
}

// play is the story. It returns when the last instances were asked to leave, or an error if something does not come about.
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

		{"b to be in the middle of its runs", func() bool { return l.middle(b) }, func() {
			s.crash(b)
			crashed, cut = time.Now(), l.cutOff(b)
			say("b loses its power in the middle of %s", shards(cut))
		}},
		{"others to do what b did not finish", func() bool { return l.done(cut) }, func() {
			say("what b did not finish is done, %.1f s after its death", time.Since(crashed).Seconds())
		}},
		{"others to make up for what came due meanwhile", s.upToDate, func() {
			say("what came due meanwhile is made up for")
			b = s.boot("b")
			say("b is back")
		}},

		{"b and c to be in the middle of runs", func() bool { return l.middle(b) && l.middle(c) }, func() {
			c.leave()
			s.board.show(c, "draining")
			say("c is asked to leave: it finishes what it runs, and its shards move at once")
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

// sum counts what was due up to the end and what was done, shows it, and returns an error if it is not as promised.
func (s *show) sum(end time.Time) error {
	entries := s.server.Dump()
	due := fires(entries, end)
	t := count(due, job.Shards, s.ledger.all())
	t.left = leftovers(entries, due)
	s.board.sum(t)
	return t.fault()
}

// upToDate says whether all that is due is done, and the next fire is a while away.
func (s *show) upToDate() bool {
	now := time.Now()
	due, soon := fires(s.server.Dump(), now), fires(s.server.Dump(), now.Add(500*time.Millisecond))
	return len(due) > 0 && len(soon) == len(due) && len(count(due, job.Shards, s.ledger.all()).lost) == 0
}

// until waits for something that should come about soon.
func until(ctx context.Context, what string, ok func() bool) error {
	const patience = 15 * time.Second
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain for %s", patience, what)
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
