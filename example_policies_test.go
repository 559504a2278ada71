package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The fleet was down from half past one to half past four. What becomes of the
// fires of two, three and four is up to the job.
func ExampleMisfire() {
	at := func(hour, minute int) elastic.Option {
		return elastic.WithTesting(elastic.Testing{Now: func() time.Time {
			return time.Date(2026, 1, 2, hour, minute, 0, 0, time.UTC)
		}})
	}
	for _, misfire := range []elastic.Misfire{elastic.MisfireOnce, elastic.MisfireSkip, elastic.MisfireAll} {
		job := elastic.Job{Name: "hourly", Schedule: "0 * * * *", Misfire: misfire}
		server := memory.NewServer() // stands for a store that outlives its clients

		until(server, job, at(1, 30), func(e elastic.Event) bool { return e.Kind == observe.Scheduled })
		fires := until(server, job, at(4, 30), func(e elastic.Event) bool {
			return e.Kind == observe.Ended && e.Fire.Hour() == 4 ||
				e.Kind == observe.Missed && misfire == elastic.MisfireSkip
		})
		fmt.Println(misfire, fires)
	}
	// Output:
	// once [04:00]
	// skip []
	// all [02:00 03:00 04:00]
}

// until has an instance run a job until an event is as wanted, and returns the
// fires that it has run.
func until(
	server *memory.Server, job elastic.Job, clock elastic.Option, wanted func(elastic.Event) bool,
) (fires []string) {
	ctx, stop := context.WithCancel(context.Background())
	s, err := elastic.New(server.Connect("instance"), clock, elastic.WithEvents(func(e elastic.Event) {
		if wanted(e) {
			stop()
		}
	}))
	if err != nil {
		panic(err)
	}
	s.MustAdd(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		fires = append(fires, run.Fire.Format("15:04"))
		return nil
	}))
	if err := s.Run(ctx); err != nil {
		panic(err)
	}
	return fires
}

// A fire that comes while its shard still runs replaces the run, if the job
// says so.
func ExampleOverlap() {
	s, err := elastic.Open(context.Background(), "memory://overlap", elastic.WithDrainTimeout(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error, 1)
	s.MustAdd(elastic.Job{
		Name:     "forecast",
		Schedule: "* * * * * ?",
		Overlap:  elastic.OverlapReplace,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		<-ctx.Done() // this takes longer than it is to the next fire
		select {
		case ended <- context.Cause(ctx):
		default: // the first one is enough
		}
		return context.Cause(ctx)
	}))
	defer running(s)()
	fmt.Println(errors.Is(<-ended, elastic.ErrReplaced))
	// Output:
	// true
}

// One report, when all three shards of the collection have succeeded.
func ExampleAfterEnds() {
	s, err := elastic.Open(context.Background(), "memory://after")
	if err != nil {
		fmt.Println(err)
		return
	}
	collected, reported := make(chan int, 3), make(chan elastic.Run, 1)
	s.MustAdd(elastic.Job{
		Name:     "collect",
		Schedule: "* * * * * ?",
		Shards:   3,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		select {
		case collected <- run.Shard:
		default: // of a later fire
		}
		return nil
	}))
	s.MustAdd(elastic.Job{
		Name:      "report",
		After:     []string{"collect"},
		AfterEnds: elastic.AfterSucceeded,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		select {
		case reported <- run:
		default:
		}
		return nil
	}))
	defer running(s)()
	report := <-reported
	fmt.Printf("%s runs after %d shards of collect\n", report.Job, len(collected))
	// Output:
	// report runs after 3 shards of collect
}

// All that is wrong with a job is told at once, before anything is written.
func ExampleJob_Validate() {
	fmt.Println(elastic.Job{Name: "report", Schedule: "0 0 3 31 2 ?", Shards: -1, Timeout: -time.Minute}.Validate())
	// Output:
	// job "report" is not valid:
	// shards: must be 1 to 10000, is -1
	// schedule: schedule "0 0 3 31 2 ?" never fires: no month or year that it names has such a day
	// timeout: must not be negative, is -1m0s
}
