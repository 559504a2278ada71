package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/elasticjob-go/elastic"
)

// demoJob is a job of the demo and its work.
type demoJob struct {
	job  elastic.Job
	work elastic.HandlerFunc
}

// demoJobs are jobs that succeed, fail, hang, skip fires and follow each other.
func demoJobs() []demoJob {
	return []demoJob{
		{
			job: elastic.Job{
				Name:        "report",
				Description: "six shards; a killed instance's shards are taken over",
				Schedule:    "0/10 * * * * ?",
				Shards:      6,
				Failover:    true,
			},
			work: takes(time.Second, 4*time.Second),
		},
		{
			job: elastic.Job{
				Name:        "mail",
				Description: "one run in six fails",
				Schedule:    "@every 5s",
				Shards:      4,
				Failover:    true,
			},
			work: fails(6, takes(100*time.Millisecond, time.Second)),
		},
		{
			job: elastic.Job{
				Name:        "import",
				Description: "one run in three hangs until its timeout of 8 s",
				Schedule:    "0/20 * * * * ?",
				Shards:      2,
				Timeout:     8 * time.Second,
			},
			work: hangs(3, takes(time.Second, 2*time.Second)),
		},
		{
			job: elastic.Job{
				Name:        "sync",
				Description: "runs take longer than the schedule's 5 s, so fires are skipped",
				Schedule:    "@every 5s",
				Shards:      1,
				Overlap:     elastic.OverlapSkip,
			},
			work: takes(7*time.Second, 9*time.Second),
		},
		{
			job: elastic.Job{
				Name:        "summary",
				Description: "runs after each report",
				After:       []string{"report"},
				Shards:      1,
			},
			work: takes(200*time.Millisecond, time.Second),
		},
	}
}

// takes returns work that takes between two times.
func takes(least, most time.Duration) elastic.HandlerFunc {
	return func(ctx context.Context, _ elastic.Run) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(least + rand.N(most-least)):
			return nil
		}
	}
}

var errMail = errors.New("the mail server answered 451: try again later")

// fails returns work of which one run in n fails.
func fails(n int, work elastic.HandlerFunc) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		if rand.N(n) == 0 {
			return errMail
		}
		return work(ctx, run)
	}
}

// hangs returns work of which one run in n lasts until its context ends.
func hangs(n int, work elastic.HandlerFunc) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		if rand.N(n) > 0 {
			return work(ctx, run)
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
}

// demoTTL is short, so that a kill is noticed within seconds.
const demoTTL = 5 * time.Second

// Instance runs an instance of the demo until ctx or the input ends.
func Instance(ctx context.Context, url, name string, input io.Reader, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, input) // until the parent process closes it, or is gone
		cancel()
	}()
	s, err := elastic.Open(ctx, url,
		elastic.WithName(name),
		elastic.WithSessionTTL(demoTTL),
		elastic.WithDrainTimeout(demoTTL),
		elastic.WithLogger(log),
	)
	if err != nil {
		return err
	}
	for _, d := range demoJobs() {
		if err := s.Add(d.job, d.work); err != nil {
			return errors.Join(fmt.Errorf("add the demo's jobs: %w", err), s.Close())
		}
	}
	return s.Run(ctx)
}
