package failover_test

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
)

// A run whose instance has died. What the instance that has the shard by now
// does about it is up to the policy, and to nothing else.
func ExampleDecide() {
	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	daily, err := cron.Parse("0 0 3 * * ?", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	policy := failover.Policy{Schedule: daily, Since: three.AddDate(0, 0, -7), Misfire: failover.MisfireOnce, Overlap: failover.OverlapQueue, Failover: true, MaxAttempts: 3}
	view := failover.View{
		Record: failover.Record{}.Begin(three, "a@1", three),
		Now:    three.Add(10 * time.Minute),
		Me:     "b@1", Owned: true,
	}
	for _, owner := range []failover.Liveness{failover.LivenessUnproven, failover.LivenessAlive, failover.LivenessDead} {
		view.Owner = owner
		d := failover.Decide(policy, view)
		fmt.Printf("%s: %s\n", d.Action, d.Reason)
	}
	policy.Failover = false
	d := failover.Decide(policy, view)
	fmt.Printf("%s: %s\n", d.Action, d.Reason)
	// Output:
	// prove death: the run's instance a@1 is not among the live ones
	// block: the instance a@1 runs it, and may hand it over
	// take over: the run's instance a@1 is dead
	// abandon: the run's instance a@1 is dead, and failover is off
}

// The life of a fire: begun, taken over from the dead, and completed. The fence
// grows with each claim.
func ExampleRecord() {
	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	begun := failover.Record{}.Begin(three, "a@1", three)
	again := begun.TakeOver("b@1", three.Add(10*time.Second))
	ended := again.Complete(failover.ResultSucceeded, "", three.Add(time.Minute))

	fmt.Println(begun.State, begun.Owner, begun.Attempt)
	fmt.Println(again.State, again.Owner, again.Attempt, again.Fence-begun.Fence)
	fmt.Println(ended.State, ended.Result, ended.Fire.Equal(three))

	read, err := failover.Decode(ended.Encode()) // as it is stored
	fmt.Println(read == ended, err)
	// Output:
	// running a@1 1
	// running b@1 2 1
	// idle ok true
	// true <nil>
}
