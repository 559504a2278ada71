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
	start, end time.Time // end is zero until the handler returns
	err        error
	cause      error
	died       bool      // its process crashed during the run
	cancelled  time.Time // when its context ended; zero if it did not
}

// handler returns a handler that records its runs and then does the work.
func (c *cluster) handler(n *node) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		if run.Retry > 0 {
			return c.task()(ctx, run) // a retry belongs to the same execution
		}
		r := &ran{
			node:      n,
			job:       run.Job,
			shard:     run.Shard,
			fire:      run.Fire,
			trigger:   run.Trigger,
			parameter: run.Parameter,
			attempt:   run.Attempt,
			fence:     run.Fence(),
			start:     time.Now(),
		}
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
				r.end = time.Now()
				r.err = err
				r.cause = context.Cause(ctx)
			}
		}()
		err = c.task()(ctx, run)
		return err
	}
}

// task returns the current work of all handlers. The method does sets it.
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

// nothing is a handler that succeeds at once.
func nothing(context.Context, elastic.Run) error { return nil }

// total returns the number of executions.
func (c *cluster) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.runs)
}

// find returns copies of the matching executions.
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
