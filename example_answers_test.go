package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/status"
)

// Any instance says what its fleet does: which jobs there are, who owns a
// shard, how its last run ended, when it runs next, and why it does not run.
func ExampleScheduler_Shards() {
	ctx := context.Background()
	s, err := elastic.Open(ctx, "memory://answers", elastic.WithName("web-1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan struct{}, 2)
	report := elastic.Job{Name: "report", Schedule: "@manual", Shards: 2}
	s.MustAdd(report, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
		defer func() { ran <- struct{}{} }()
		return errors.New("no paper")
	}))
	defer running(s)()
	byHand(s, "report", elastic.OnShards(1))
	<-ran

	var shards []elastic.ShardStatus
	for len(shards) == 0 || shards[1].Result == "" { // the result is recorded in a moment
		if shards, err = s.Shards(ctx, "report"); err != nil {
			fmt.Println(err)
			return
		}
		time.Sleep(time.Millisecond)
	}
	for _, shard := range shards {
		fmt.Println(shard.Shard, shard.State, shard.OwnerAlive, shard.Result, shard.Error, shard.Reason.Code)
	}
	// Output:
	// 0 idle true   schedule_over
	// 1 idle true failed no paper schedule_over
}

// A job and the instances as this instance sees them.
func ExampleScheduler_Job() {
	ctx := context.Background()
	s, err := elastic.Open(ctx, "memory://job-detail", elastic.WithName("web-1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	report := elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 2}
	s.MustAdd(report, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
	defer running(s)()
	<-s.Ready()

	var detail elastic.JobDetail
	for detail.Owners == 0 { // the shards are assigned in a moment
		if detail, err = s.Job(ctx, "report"); err != nil {
			fmt.Println(err)
			return
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println(detail.State, detail.Words, len(detail.Fires), detail.Config.Sharding)

	var jobs []elastic.JobStatus
	if jobs, err = s.Jobs(ctx); err == nil {
		fmt.Println(len(jobs), jobs[0].Name, jobs[0].Shards)
	}
	var instances []elastic.InstanceStatus
	if instances, err = s.Instances(ctx); err == nil {
		first := instances[0]
		fmt.Println(first.Name, first.State == status.InstanceUp, first.Owned, first.Self)
	}
	// Output:
	// idle at 03:00 every day, UTC 5 sticky
	// 1 report 2
	// web-1 true 2 true
}
