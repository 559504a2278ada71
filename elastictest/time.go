package elastictest

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// Patience is how long the waiting methods wait, in virtual time, before they
// fail the test. An hour is longer than every timeout of the cluster.
const Patience = time.Hour

// Advance lets virtual time pass, and waits for everything that happens because
// of it.
func (c *Cluster) Advance(d time.Duration) {
	c.t.Helper()
	if d < 0 {
		c.t.Fatalf("elastictest: advance %s: time does not go back", d)
	}
	time.Sleep(d)
	synctest.Wait()
}

// NextFire lets time pass to the next fire of a job, and returns that fire. The
// runs of that instant have begun when it returns. With Job.Jitter, shards
// begin later. It uses the stored job.
func (c *Cluster) NextFire(job string) time.Time {
	c.t.Helper()
	spec, ok := c.spec(job)
	if !ok {
		c.t.Fatalf("elastictest: next fire of %q: the store holds no such job: add it, and start an instance", job)
	}
	schedule, err := spec.Times()
	if err != nil {
		c.t.Fatalf("elastictest: next fire of %q: %v", job, err)
	}
	next := schedule.Next(time.Now())
	if next.IsZero() {
		c.t.Fatalf("elastictest: next fire of %q: its schedule %q has none after %s", job, spec.Schedule, clock(time.Now()))
	}
	c.Advance(time.Until(next))
	return next
}

// Until lets time pass until holds returns true. It calls holds every hundredth
// of a second, and after a minute every second. After Patience it fails the
// test, with a message that contains what.
func (c *Cluster) Until(what string, holds func() bool) {
	c.t.Helper()
	if holds == nil {
		c.t.Fatalf("elastictest: until %s: the function is nil", what)
	}
	c.until(what, Patience, holds)
}

func (c *Cluster) until(what string, patience time.Duration, holds func() bool) {
	c.t.Helper()
	for begin := time.Now(); ; {
		synctest.Wait()
		if holds() {
			return
		}
		waited := time.Since(begin)
		if waited >= patience {
			c.t.Fatalf("elastictest: %s passed without: %s", patience, what)
		}
		if waited < time.Minute {
			time.Sleep(10 * time.Millisecond)
		} else {
			time.Sleep(time.Second)
		}
	}
}

// UntilQuiet lets time pass until no handler runs, and all runs of instances
// that crashed, were cut off or were paused for too long are finished by others
// or abandoned.
func (c *Cluster) UntilQuiet() {
	c.t.Helper()
	c.until("that no run is in progress", Patience, func() bool { return c.InProgress() == "" })
}

// InProgress returns a run that is not over, according to handlers and records,
// or "" if there is none.
func (c *Cluster) InProgress() string {
	c.mu.Lock()
	for _, r := range c.runs {
		if r.Ended.IsZero() {
			defer c.mu.Unlock()
			return r.String()
		}
	}
	c.mu.Unlock()
	for _, e := range c.server.Dump() {
		if record, ok := decodeRecord(e); ok && record.State.String() == "running" {
			return fmt.Sprintf("%s: %s", e.Key, record)
		}
	}
	return ""
}

// settled is how long nothing must change before a cluster counts as settled.
// It is longer than a new instance waits for its share.
const settled = 1500 * time.Millisecond

// Settle lets time pass until the shares of the instances have not changed for
// longer than a new instance waits for its own.
func (c *Cluster) Settle() {
	c.t.Helper()
	seen, since := -1, time.Now()
	c.until("that the instances share all jobs", time.Minute, func() bool {
		if changes := c.count(observe.Gained) + c.count(observe.Dropped) + c.count(observe.Joined); changes != seen {
			seen, since = changes, time.Now()
		}
		return time.Since(since) >= settled
	})
}

func (c *Cluster) spec(job string) (layout.Spec, bool) {
	for _, e := range c.server.Dump() {
		if e.Key == layout.JobKey(job) {
			spec, err := layout.DecodeSpec(e.Value)
			return spec, err == nil
		}
	}
	return layout.Spec{}, false
}

// Work stands for the work of a handler in a test. It takes d and returns nil,
// or ends with ctx and returns its cause. It stops while its instance is
// paused, which a handler that sleeps by itself does not. ctx must be the
// context of the handler. For work that ignores the end of its context, pass
// context.WithoutCancel(ctx).
func Work(ctx context.Context, d time.Duration) error {
	if ctx == nil {
		return errNoHandler
	}
	f, ok := ctx.Value(freezerKey{}).(*freezer)
	if !ok {
		return errNoHandler
	}
	begin, before := time.Now(), f.lost()
	for {
		f.wait()
		left := d - time.Since(begin) + f.lost() - before
		if left <= 0 {
			return nil
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			f.wait()
			return context.Cause(ctx)
		}
	}
}

type freezerKey struct{}

var errNoHandler = errors.New("elastictest: Work needs the context of a handler that a Cluster runs")
