package integration

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store/memory"
)

// A job that is unregistered and added again while its assignment is under way
// goes on. The answer to the old assignment must not undo the new
// registration.
func TestReassign_JobRemovedAndAddedAgain(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 2}
		a := c.start("a")
		c.add(a, job)
		c.until("the job runs", func() bool { return c.total() > 0 })
		var delayed atomic.Bool
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "assignments/") && !delayed.Swap(true) {
				return memory.Fault{After: time.Second}
			}
			return memory.Fault{}
		})
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 3 })
		c.until("an assignment is under way", delayed.Load)
		if err := a.sched.Unregister("report"); err != nil {
			t.Fatal(err)
		}
		c.pass(200 * time.Millisecond)
		c.add(a, job)
		c.pass(5 * time.Second)
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 4 })
		since := time.Now()
		c.pass(10 * time.Second)
		for shard := range 4 {
			if n := len(c.find(func(r *ran) bool { return r.shard == shard && r.start.After(since) })); n < 8 {
				t.Errorf("shard %d ran %d times in ten seconds", shard, n)
			}
		}
	})
}
