package elastictest

import (
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Run is one execution of a handler: the [elastic.Run] that it got, and what
// became of it.
type Run struct {
	elastic.Run // as the handler got it

	Instance string // the name given to Start
	Began    time.Time
	Ended    time.Time // zero while it runs
	Err      error     // what the handler returned
	Cause    error     // the cause with which its context had ended by then; nil if it had not
	Told     time.Time // when its context ended; zero if it did not
	Crashed  bool      // its process crashed at Ended; what the handler returned does not count

	of *instance
}

// String describes the run in one line.
func (r Run) String() string {
	s := fmt.Sprintf("%s/%d fire %s attempt %d fence %d on %s: began %s", r.Job, r.Shard, clock(r.Fire), r.Attempt, r.Fence(), r.Instance, clock(r.Began))
	switch {
	case r.Ended.IsZero():
		return s + ", runs"
	case r.Crashed:
		return s + ", crashed " + clock(r.Ended)
	case r.Err != nil:
		return s + ", failed " + clock(r.Ended) + ": " + r.Err.Error()
	}
	return s + ", ended " + clock(r.Ended)
}

// Runs returns all runs of a job so far, in the order in which they began.
func (c *Cluster) Runs(job string) []Run {
	return c.find(func(r *Run) bool { return r.Job == job })
}

// AllRuns returns the runs of all jobs so far, in the order in which they
// began.
func (c *Cluster) AllRuns() []Run { return c.find(func(*Run) bool { return true }) }

// RunsOf returns the runs of one shard of a job so far, in the order in which
// they began.
func (c *Cluster) RunsOf(job string, shard int) []Run {
	return c.find(func(r *Run) bool { return r.Job == job && r.Shard == shard })
}

func (c *Cluster) find(fits func(*Run) bool) []Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Run
	for _, r := range c.runs {
		if fits(r) {
			found = append(found, *r)
		}
	}
	return found
}

// Events returns the events of all instances so far, in the order in which they
// arrived.
func (c *Cluster) Events() []elastic.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

func (c *Cluster) count(kind observe.Kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, e := range c.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// perRun has the kinds of events that the list of runs shows better.
var perRun = map[observe.Kind]bool{observe.Began: true, observe.Ended: true, observe.TookOver: true}

// Owners returns the names of the instances that own the shards of a job: of
// shard 0, of shard 1, and so on. It is empty before the first assignment. A
// name stays until the others have noticed that its instance is gone.
func (c *Cluster) Owners(job string) []string {
	c.t.Helper()
	for _, e := range c.server.Dump() {
		if e.Key != layout.AssignmentKey(job) {
			continue
		}
		a, err := layout.DecodeAssignment(e.Value)
		if err != nil {
			c.t.Fatalf("elastictest: owners of %q: %v", job, err)
		}
		names := make([]string, len(a.Owners))
		for i, id := range a.Owners {
			names[i] = c.NameOf(id)
		}
		return names
	}
	return nil
}

// Record returns the stored record of a shard. The zero Record is that of a
// shard that never ran.
func (c *Cluster) Record(job string, shard int) failover.Record {
	for _, e := range c.server.Dump() {
		if e.Key == layout.RunKey(job, shard) {
			r, err := failover.Decode(e.Value)
			if err != nil {
				c.t.Helper()
				c.t.Fatalf("elastictest: record of %s/%d: %v", job, shard, err)
			}
			return r
		}
	}
	return failover.Record{}
}

func decodeRecord(e store.Entry) (failover.Record, bool) {
	if _, _, ok := layout.RunOf(e.Key); !ok {
		return failover.Record{}, false
	}
	r, err := failover.Decode(e.Value)
	return r, err == nil
}

// Alive reports whether the store lists an instance as live. A crashed instance
// is listed until its session has expired.
func (c *Cluster) Alive(name string) bool {
	synctest.Wait()
	for _, e := range c.server.Dump() {
		if id, ok := layout.NameOf(layout.Instances, e.Key); ok && c.NameOf(id) == name {
			return true
		}
	}
	return false
}

// ID returns the ID of the latest session of an instance, such as a@1, or "" if
// it never had one. Records and events contain this ID.
func (c *Cluster) ID(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest[name]
}

// NameOf returns the name of the instance with an ID, or "" if it does not
// belong to this cluster.
func (c *Cluster) NameOf(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[id]
}
