package elastic_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// once runs each shard of a job one time, as Scheduler.Trigger does, on a
// scheduler of its own, and prints how they ended. Most examples are about one
// setting or one result, and leave the rest to it.
func once(job elastic.Job, h elastic.Handler, options ...elastic.Option) {
	job.Schedule = "@manual"
	ended := make(chan elastic.Event, max(job.Shards, 1))
	s, err := elastic.Open(context.Background(), "memory://"+job.Name, append(options, elastic.WithEvents(func(e elastic.Event) {
		if e.Kind == observe.Ended {
			ended <- e
		}
	}))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	s.MustAdd(job, h)
	defer running(s)()
	byHand(s, job.Name)

	var ends []string
	for range max(job.Shards, 1) {
		e := <-ended
		end := fmt.Sprintf("%s/%d %s", e.Job, e.Shard, e.Result)
		if e.Err != nil {
			end += ": " + e.Err.Error()
		}
		ends = append(ends, end)
	}
	slices.Sort(ends)
	fmt.Println(strings.Join(ends, "\n"))
}

// running runs a scheduler, until the function that it returns is called.
func running(s *elastic.Scheduler) (stop func()) {
	var group sync.WaitGroup
	group.Go(func() {
		if err := s.Run(context.Background()); err != nil {
			fmt.Println(err)
		}
	})
	return func() {
		s.Close()
		group.Wait()
	}
}

// byHand triggers a job as soon as the scheduler runs and the job is in its
// store.
func byHand(s *elastic.Scheduler, job string, options ...elastic.TriggerOption) {
	for {
		if _, err := s.Trigger(context.Background(), job, options...); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// collect takes n values of a channel, in the order of their text.
func collect[T any](from <-chan T, n int) []T {
	var all []T
	for range n {
		all = append(all, <-from)
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}
