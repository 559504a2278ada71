// Gocron is the worker of examples/worker with another library in it: gocron,
// made a fleet in the two ways that it offers, with an elector and with a
// locker, both on etcd. It takes the flags that the tests of e2e/chaos give to
// a worker, as far as they mean something to it, and writes the same journal.
//
// gocron has neither shards nor runs with a scheduled time: each shard is a job
// here, and the time of a fire is the time at which it starts, rounded down to
// the second of the schedule.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-co-op/gocron/v2"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// config holds the flags.
type config struct {
	mode, name, store, jobs, out string
	work, ttl, drain, every      time.Duration
}

// job is the part of a job that this worker uses.
type job struct {
	Name   string
	Shards int
}

func main() {
	var c config
	flag.StringVar(&c.mode, "mode", "locker", "elector or locker")
	flag.StringVar(&c.name, "name", "", "of this process")
	flag.StringVar(&c.store, "store", "", "URL of etcd")
	flag.StringVar(&c.jobs, "jobs", "", "file with the jobs")
	flag.StringVar(&c.out, "out", "", "file that takes a line when a run starts and when it ends")
	flag.DurationVar(&c.work, "work", time.Second, "how long a run takes")
	flag.DurationVar(&c.ttl, "ttl", 10*time.Second, "of the session with etcd, in whole seconds")
	flag.DurationVar(&c.drain, "drain", 10*time.Second, "how long running work may go on when asked to end")
	flag.DurationVar(&c.every, "every", 2*time.Second, "the period of all jobs, in whole seconds")
	for _, ignored := range []string{"fenced", "clock", "log-level"} {
		flag.String(ignored, "", "not used")
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "gocron:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	text, err := os.ReadFile(c.jobs)
	if err != nil {
		return err
	}
	var jobs []job
	if err := json.Unmarshal(text, &jobs); err != nil {
		return err
	}
	out, err := os.OpenFile(c.out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	u, err := url.Parse(c.store)
	if err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(u.Host, ","), DialTimeout: 5 * time.Second,
		// What etcd advises for clients that must find out about a connection
		// that is dead.
		DialKeepAliveTime: c.ttl / 2, DialKeepAliveTimeout: c.ttl / 2,
	})
	if err != nil {
		return err
	}
	defer client.Close()

	s := &sessions{client: client, ttl: max(1, int(c.ttl/time.Second)), name: c.name}
	options := []gocron.SchedulerOption{gocron.WithStopTimeout(c.drain), gocron.WithLocation(time.UTC)}
	switch c.mode {
	case "elector":
		options = append(options, gocron.WithDistributedElector(s))
		go s.campaign(ctx)
	case "locker":
		options = append(options, gocron.WithDistributedLocker(s))
		go s.keep(ctx)
	default:
		return fmt.Errorf("mode %q: want elector or locker", c.mode)
	}
	scheduler, err := gocron.NewScheduler(options...)
	if err != nil {
		return err
	}
	schedule := fmt.Sprintf("*/%d * * * * *", c.every/time.Second)
	for _, j := range jobs {
		for item := range j.Shards {
			_, err := scheduler.NewJob(
				gocron.CronJob(schedule, true),
				gocron.NewTask(func(context.Context) { c.handle(out, j.Name, item) }),
				gocron.WithName(fmt.Sprintf("%s/%d", j.Name, item)),
				// A run that is late does not start another beside itself.
				gocron.WithSingletonMode(gocron.LimitModeReschedule),
			)
			if err != nil {
				return err
			}
		}
	}
	scheduler.Start()
	<-ctx.Done()
	return scheduler.Shutdown()
}

// handle is where the work is done: it waits, and says so.
func (c config) handle(out *os.File, name string, item int) {
	fire := time.Now().UTC().Truncate(c.every)
	tell := func(event, outcome string) {
		line := map[string]any{
			"event":    event,
			"job":      name,
			"shard":    item,
			"fire":     fire,
			"attempt":  1,
			"fence":    1,
			"pid":      os.Getpid(),
			"instance": c.name,
			"time":     time.Now().UTC(),
		}
		if outcome != "" {
			line["outcome"] = outcome
		}
		text, err := json.Marshal(line)
		if err == nil {
			_, err = out.Write(append(text, '\n'))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "gocron: journal:", err)
		}
	}
	tell("start", "")
	time.Sleep(c.work)
	tell("end", "ok")
}

// sessions keeps a session with etcd, and makes an elector and a locker of it
// with etcd's own recipes.
type sessions struct {
	client  *clientv3.Client
	ttl     int // seconds
	name    string
	session atomic.Pointer[concurrency.Session] // nil: there is none
	leads   atomic.Bool
}

// keep takes a new session whenever the last one has ended, until ctx ends.
func (s *sessions) keep(ctx context.Context) {
	s.with(ctx, func(session *concurrency.Session) {
		s.session.Store(session)
		select {
		case <-session.Done():
		case <-ctx.Done():
		}
		s.session.Store(nil)
	})
}

// campaign wants to lead until ctx ends.
func (s *sessions) campaign(ctx context.Context) {
	s.with(ctx, func(session *concurrency.Session) {
		// A campaign goes on for as long as it takes, but not beyond its
		// session.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-session.Done():
				cancel()
			case <-ctx.Done():
			}
		}()
		if err := concurrency.NewElection(session, "chaos/leader").Campaign(ctx, s.name); err != nil {
			return
		}
		s.leads.Store(true)
		<-ctx.Done()
		s.leads.Store(false)
	})
}

func (s *sessions) with(ctx context.Context, use func(*concurrency.Session)) {
	for ctx.Err() == nil {
		session, err := concurrency.NewSession(s.client, concurrency.WithTTL(s.ttl), concurrency.WithContext(ctx))
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		use(session)
		// The session's own context has ended if ctx has; its lease goes with
		// it, so that the others need not wait for it.
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_, _ = s.client.Revoke(bye, session.Lease())
		cancel()
	}
}

// IsLeader returns nil if this process runs the jobs.
func (s *sessions) IsLeader(context.Context) error {
	if s.leads.Load() {
		return nil
	}
	return errors.New("another process leads")
}

// Lock takes the lock of a job for a run, or returns an error if another
// process has it.
func (s *sessions) Lock(ctx context.Context, key string) (gocron.Lock, error) {
	session := s.session.Load()
	if session == nil {
		return nil, errors.New("no session with etcd")
	}
	m := concurrency.NewMutex(session, "chaos/locks/"+key)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.ttl)*time.Second)
	defer cancel()
	if err := m.TryLock(ctx); err != nil {
		return nil, err
	}
	return lock{m, time.Duration(s.ttl) * time.Second}, nil
}

// lock is one that is held.
type lock struct {
	mutex   *concurrency.Mutex
	timeout time.Duration
}

// Unlock gives it back.
func (l lock) Unlock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	return l.mutex.Unlock(ctx)
}
