package integration

import (
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

func (c *cluster) event(e elastic.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// count returns the number of events of a kind.
func (c *cluster) count(kind observe.Kind) int { return len(c.seen(kind)) }

func (c *cluster) seen(kind observe.Kind) []elastic.Event {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []elastic.Event
	for _, e := range c.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// until waits for a condition. It fails the test after three minutes of virtual
// time.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for range 180_000 {
		synctest.Wait()
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("three minutes passed without: %s\n%s", what, c.story())
}

// pass lets virtual time pass, and waits until all goroutines are idle.
func (c *cluster) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
