package integration

import (
	"context"
	"errors"
	"time"

	"github.com/elasticjob-go/elastic"
)

// ran is one execution of a handler.
type ran struct {
	node       *node
	job        string
	shard      int
	fire       time.Time
	trigger    uint64
	parameter  string
	attempt    int
	fence      uint64
	start, end time.Time // end is zero until it has returned
	err        error
	cause      error
	died       bool      // its process crashed while it ran
	cancelled  time.Time // its context ended; zero if it did not
}

// handler writes down what it is asked to run, and then works.
func (c *cluster) handler(n *node) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		if run.Retry > 0 {
			return c.task()(ctx, run) // the same execution goes on
		}
		r := &ran{node: n, job: run.Job, shard: run.Shard, fire: run.Fire, trigger: run.Trigger, parameter: run.Parameter, attempt: run.Attempt, fence: run.Fence(), start: time.Now()}
		c.mu.Lock()
		if !n.dead {
			c.runs = append(c.runs, r)
		}
		c.mu.Unlock()
		stop := context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			r.cancelled = time.Now()
		})
		defer stop()
		err := errors.New("panicked")
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if r.end.IsZero() {
				r.end, r.err, r.cause = time.Now(), err, context.Cause(ctx)
			}
		}()
		err = c.task()(ctx, run)
		return err
	}
}

// task returns what handlers do now; does changes it.
func (c *cluster) task() elastic.HandlerFunc {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.work
}

func (c *cluster) does(f elastic.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work = f
}

// nothing is a handler that is done at once.
func nothing(context.Context, elastic.Run) error { return nil }

// total returns how many executions there were.
func (c *cluster) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.runs)
}

// find returns the executions that fit, as they are now.
func (c *cluster) find(fits func(r *ran) bool) []*ran {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*ran
	for _, r := range c.runs {
		if fits(r) {
			now := *r
			found = append(found, &now)
		}
	}
	return found
}
