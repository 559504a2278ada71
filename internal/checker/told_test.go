package checker

import (
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// chain is what a store is asked where one instance runs the two shards of a
// job, and then the one of a job that follows. Its fields can be doctored.
type chain struct {
	first, then layout.Spec
	owners      []string // of the shards of the first
	results     []failover.Result
	early       bool // the second begins before the last shard of the first has ended
	overlapping bool // the shards of the first run at the same time
	blind       bool // the claim of the second does not rest on the spec of the first
	unassigned  bool // nor on its assignment
}

func newChain() chain {
	common := layout.Spec{Shards: 1, Sharding: "sticky", MaxAttempts: 2, Misfire: failover.MisfireOnce, Overlap: failover.OverlapQueue}
	c := chain{first: common, then: common, owners: []string{"a@1", "a@1"}, results: []failover.Result{failover.ResultSucceeded, failover.ResultSkipped}}
	c.first.Schedule, c.first.Shards = "* * * * * ?", 2
	c.then.After, c.then.AfterEnds = []string{"first"}, failover.WhenSucceeded
	return c
}

func (c chain) commits() []memory.Commit {
	var all []memory.Commit
	var rests []store.Cond // a claim of the second, on the first
	if !c.blind {
		rests = append(rests, store.At(layout.JobKey("first"), 1))
	}
	if !c.blind && !c.unassigned {
		rests = append(rests, store.At(layout.AssignmentKey("first"), 1))
	}
	do := func(cond []store.Cond, ops ...store.Op) {
		all = append(all, memory.Commit{Rev: uint64(len(all) + 1), Time: midnight.Add(time.Duration(len(all)) * time.Second), Cause: memory.Committed, Client: "a", Session: "s", If: cond, Do: ops})
	}
	alive := store.Exists("instances/a@1")
	for _, id := range []string{"a@1", "a@2"} {
		do(nil, store.CreateEphemeral(layout.InstanceKey(id), layout.Instance{Name: "a", Weight: 1, Labels: map[string]string{"zone": "east"}, Level: layout.Level}.Encode()))
	}
	for name, spec := range map[string]layout.Spec{"first": c.first, "then": c.then} {
		owners := c.owners
		if name == "then" {
			owners = owners[:1]
		}
		do(nil, store.Create(layout.JobKey(name), stored(spec.From(midnight))))
		do([]store.Cond{alive, store.At(layout.JobKey(name), 1)}, store.Create(layout.AssignmentKey(name), layout.Assignment{Epoch: 1, Strategy: spec.Sharding, Owners: owners}.Encode()))
	}
	fire := midnight.Add(time.Second)
	begin := func(job string, item int, owner string) failover.Record {
		r := failover.Record{}.Begin(fire, owner, fire)
		cond := []store.Cond{store.Exists(layout.InstanceKey(owner)), store.At(layout.JobKey(job), 1), store.At(layout.AssignmentKey(job), 1)}
		if job == "then" {
			cond = append(cond, rests...)
		}
		do(cond, store.Create(layout.RunKey(job, item), r.Encode()))
		return r
	}
	end := func(job string, item int, r failover.Record, result failover.Result) {
		do([]store.Cond{store.At(layout.RunKey(job, item), 1)}, store.Set(layout.RunKey(job, item), r.Complete(result, "", fire).Encode()))
	}
	last := len(c.owners) - 1
	var others []failover.Record
	for item, owner := range c.owners[:last] {
		r := begin("first", item, owner)
		if others = append(others, r); !c.overlapping {
			end("first", item, r, c.results[item])
		}
	}
	r := begin("first", last, c.owners[last])
	if c.early {
		begin("then", 0, "a@1")
	}
	for item, r := range others {
		if c.overlapping {
			end("first", item, r, c.results[item])
		}
	}
	end("first", last, r, c.results[last])
	if !c.early {
		begin("then", 0, "a@1")
	}
	return all
}

func TestAJobThatDoesOtherwiseThanItIsToldIsABreach(t *testing.T) {
	broadcast := func(c *chain) { c.first.Shards, c.first.Sharding = 0, layout.BroadcastSharding }
	for _, row := range []struct {
		name   string
		doctor func(c *chain)
		want   []int
	}{
		{"nothing is doctored", func(*chain) {}, nil},
		{"it follows before all have ended", func(c *chain) { c.early = true }, []int{9}},
		{"it follows what has failed", func(c *chain) { c.results[1] = failover.ResultFailed }, []int{9}},
		{"it follows whatever the end was", func(c *chain) { c.results[1], c.then.AfterEnds = failover.ResultFailed, failover.WhenEnded }, nil},
		{"it follows a job that is not there", func(c *chain) { c.then.After = []string{"other"} }, []int{9}},
		{"it follows without a look at what it follows", func(c *chain) { c.blind = true }, []int{9}},
		{"it follows without a look at who has the shards of what it follows", func(c *chain) { c.unassigned = true }, nil},
		{"it follows a broadcast without a look at who has its shards", func(c *chain) { broadcast(c); c.owners[1], c.unassigned = "a@2", true }, []int{9}},
		{"it follows all but a disabled shard", func(c *chain) {
			c.first.Shards, c.first.DisabledShards = 3, []int{2}
			c.owners, c.results = []string{"a@1", "a@1", "a@1"}, append(c.results, failover.ResultSucceeded)
		}, []int{7}},
		{"more at a time than it may", func(c *chain) { c.overlapping, c.first.MaxConcurrent = true, 1 }, []int{9}},
		{"as many at a time as it may", func(c *chain) { c.overlapping, c.first.MaxConcurrent = true, 2 }, nil},
		{"on an instance with other labels", func(c *chain) { c.first.Requires = map[string]string{"zone": "west"} }, []int{9}},
		{"on an instance with the labels", func(c *chain) { c.first.Requires = map[string]string{"zone": "east"} }, nil},
		{"claimed without claims", func(c *chain) { c.first.Unclaimed = true }, []int{8}},
		{"two shards of a broadcast for one", broadcast, []int{6}},
		{"a broadcast", func(c *chain) { broadcast(c); c.owners[1] = "a@2" }, nil},
	} {
		c := newChain()
		row.doctor(&c)
		if found, report := audited(c.commits()); !slices.Equal(found, row.want) {
			t.Errorf("%s: got invariants %v, want %v:\n%s", row.name, found, row.want, report)
		}
	}
}
