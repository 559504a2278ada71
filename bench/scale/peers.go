//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/go-co-op/gocron/v2"
	"github.com/reugn/go-quartz/job"
	"github.com/reugn/go-quartz/quartz"
	"github.com/robfig/cron/v3"
)

// plan says which jobs a scheduler is given: so many of some shards each, which
// fire each second or never. A peer without shards gets a job for each shard.
type plan struct {
	Jobs, Shards int
	Idle         bool
}

func (p plan) expr() string {
	if p.Idle {
		return "0 0 0 1 1 *" // at New Year
	}
	return "* * * * * *"
}

// quartzExpr is the same for parsers that want ? for one of the days.
func (p plan) quartzExpr() string {
	if p.Idle {
		return "0 0 0 1 1 ?"
	}
	return "* * * * * ?"
}

// start starts a scheduler and returns a function that stops it. fired is
// called once for each fire.
type start func(p plan, fired func()) (stop func(), err error)

// peers are the schedulers, by the names in the tables. Each is set up as its
// documentation advises.
var peers = map[string]start{
	"elastic": func(p plan, fired func()) (func(), error) { return ours(p, fired, true) },
	"elastic, claimed": func(p plan, fired func()) (func(), error) {
		return ours(p, fired, false)
	},
	"robfig/cron": func(p plan, fired func()) (func(), error) {
		c := cron.New(cron.WithSeconds())
		for range p.Jobs * p.Shards {
			if _, err := c.AddFunc(p.expr(), fired); err != nil {
				return nil, err
			}
		}
		c.Start()
		return func() { <-c.Stop().Done() }, nil
	},
	"gocron": func(p plan, fired func()) (func(), error) {
		s, err := gocron.NewScheduler()
		if err != nil {
			return nil, err
		}
		for range p.Jobs * p.Shards {
			if _, err := s.NewJob(gocron.CronJob(p.expr(), true), gocron.NewTask(fired)); err != nil {
				return nil, err
			}
		}
		s.Start()
		return func() { _ = s.Shutdown() }, nil
	},
	"go-quartz": func(p plan, fired func()) (func(), error) {
		s, err := quartz.NewStdScheduler()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.Start(ctx)
		for i := range p.Jobs * p.Shards {
			trigger, err := quartz.NewCronTrigger(p.quartzExpr())
			if err != nil {
				cancel()
				return nil, err
			}
			task := job.NewFunctionJob(func(context.Context) (int, error) { fired(); return 0, nil })
			detail := quartz.NewJobDetail(task, quartz.NewJobKey(fmt.Sprint("job", i)))
			if err := s.ScheduleJob(detail, trigger); err != nil {
				cancel()
				return nil, err
			}
		}
		return func() { s.Stop(); cancel() }, nil
	},
}

// ours starts this module's scheduler on a memory store.
func ours(p plan, fired func(), unclaimed bool) (func(), error) {
	s, err := elastic.Open(context.Background(), "memory://scale", elastic.WithName("scale"))
	if err != nil {
		return nil, err
	}
	handler := elastic.HandlerFunc(func(context.Context, elastic.Run) error { fired(); return nil })
	for i := range p.Jobs {
		err := s.Add(elastic.Job{
			Name:      fmt.Sprintf("job-%05d", i),
			Schedule:  p.quartzExpr(),
			Shards:    p.Shards,
			Unclaimed: unclaimed,
		}, handler)
		if err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		stop()
		return nil, fmt.Errorf("run: %w", err)
	case <-time.After(time.Minute):
		stop()
		return nil, fmt.Errorf("the instance has not joined within a minute")
	}
	return func() { stop(); <-done }, nil
}
