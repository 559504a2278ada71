package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store/memory"
)

// An instance that was cut off waits for the join delay like a new one.
func TestAssignment_ReturningInstanceWaits(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 6}}
		a, _ := c.start("a"), c.start("b")
		c.until("both share", func() bool { return c.balanced("report", "a", "b") })
		a.client.Cut()
		c.until("b has all", func() bool { return c.balanced("report", "b") })
		c.pass(2 * time.Minute) // long enough for a resync, which fails
		// The others see it before it has the answer to its registration.
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "instances/") {
				return memory.Fault{After: 100 * time.Millisecond}
			}
			return memory.Fault{}
		})
		a.client.Heal()
		c.until("a has a session again", func() bool { return len(c.server.Sessions()) == 2 })
		back := time.Now()
		c.until("both share again", func() bool { return c.balanced("report", "a", "b") })
		if took := time.Since(back); took < time.Second {
			t.Errorf("a got its share after %s, want the join delay of one second", took)
		}
	})
}
