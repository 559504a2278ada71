package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// instance returns what an instance with a name says about itself.
func (c *cluster) instance(name string) layout.Instance {
	c.t.Helper()
	for _, e := range c.server.Dump() {
		if id, ok := layout.NameOf(layout.Instances, e.Key); ok && layout.InstanceName(id) == name {
			i, err := layout.DecodeInstance(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return i
		}
	}
	c.t.Fatalf("there is no instance %s", name)
	return layout.Instance{}
}

// has returns the jobs that an instance says it has.
func (c *cluster) has(name string) []string {
	return layout.DecodeJobSets(c.server.Dump()).Names(c.instance(name).Sets)
}

// size returns how many bytes the keys of sets take.
func (c *cluster) sizeOfSets() (n int) {
	for _, e := range c.server.Dump() {
		if layout.Prefix(e.Key) == layout.JobSets {
			n += len(e.Value)
		}
	}
	return n
}

// A job that is added to many is a small set of its own, one that is removed
// too, and many of them become one.
func TestJobSets_AddWritesSmallSet(t *testing.T) {
	bubble(t, func(c *cluster) {
		for n := range 500 {
			c.jobs = append(
				c.jobs,
				elastic.Job{Name: fmt.Sprintf("a-job-with-a-long-name-%04d", n), Schedule: "@manual"},
			)
		}
		a := c.start("a")
		c.pass(5 * time.Second)
		before := c.sizeOfSets()
		late := func(n int) elastic.Job { return elastic.Job{Name: fmt.Sprint("late", n), Schedule: "@manual"} }
		c.add(a, late(0))
		c.pass(2 * time.Second)
		if i := c.instance("a"); len(i.Sets) != 2 || len(c.has("a")) != 501 {
			t.Errorf("%d sets and %d jobs, want 2 and 501", len(i.Sets), len(c.has("a")))
		}
		if grown := c.sizeOfSets() - before; grown > 100 {
			t.Errorf("one more job took %d bytes, and 500 took %d", grown, before)
		}
		if err := a.sched.Unregister("late0"); err != nil {
			t.Fatal(err)
		}
		c.pass(2 * time.Second)
		if i := c.instance("a"); len(i.Sets) != 3 || slices.Contains(c.has("a"), "late0") {
			t.Errorf(
				"%d sets, and the job that was removed is there: %t",
				len(i.Sets),
				slices.Contains(c.has("a"), "late0"),
			)
		}
		for n := range 2 * layout.MaxSets {
			c.add(a, late(n))
			c.pass(2 * time.Second)
			if i := c.instance("a"); len(i.Sets) > layout.MaxSets || len(c.has("a")) != 501+n {
				t.Fatalf("after %d jobs there are %d sets with %d jobs", n, len(i.Sets), len(c.has("a")))
			}
		}
		for n := range 100 { // at one moment
			c.add(a, elastic.Job{Name: fmt.Sprint("together", n), Schedule: "@manual"})
		}
		sets := len(c.instance("a").Sets)
		c.pass(3 * time.Second)
		if n := len(c.instance("a").Sets); n > sets+2 {
			t.Errorf("100 jobs at one moment made %d sets", n-sets)
		}
	})
}

// An instance whose set of jobs is missing, damaged or of another version gets
// no shards and is reported, and all others go on. When the set is repaired it
// gets its share.
func TestJobSets_BadSetStopsOneInstance(t *testing.T) {
	set := layout.NewJobSet([]string{"report"}, true) // of another hash than that of the instances
	set.Minus = false
	set.Names = []string{"another", "report"}
	hash, docs := set.Hash(), set.Documents()
	for name, bad := range map[string]map[int]string{
		"missing":            {},
		"a part missing":     {0: string(docs[0])},
		"no header":          {1: string(docs[1])},
		"half written":       {0: string(docs[0]), 1: string(docs[1][:len(docs[1])/2])},
		"of another version": {0: strings.Replace(string(docs[0]), `"v":1`, `"v":7`, 1), 1: string(docs[1])},
		"of other names":     {0: `{"v":1,"parts":1,"names":1}`, 1: `{"v":1,"names":["report"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 6}}
				c.start("a")
				c.pass(5 * time.Second)
				for part, text := range bad {
					c.put(layout.SetKey(hash, part), []byte(text))
				}
				ghost := layout.Instance{
					Name:    "ghost",
					Weight:  1,
					State:   layout.Up,
					Sets:    []string{hash},
					Level:   layout.Level,
					Started: time.Now(),
				}
				c.put(layout.InstanceKey("ghost@1"), ghost.Encode())
				c.start("b")
				c.until("the others share", func() bool { return c.balanced("report", "a", "b") })
				n := c.total()
				c.pass(30 * time.Second)
				if got := c.total() - n; got < 29*6 {
					t.Errorf("%d runs in 30 seconds, want 6 a second", got)
				}
				told := slices.DeleteFunc(
					c.seen(observe.Unreadable),
					func(e elastic.Event) bool { return e.Code != "jobset_unreadable" },
				)
				if len(told) < 2 || told[0].Subject != layout.SetsOf(hash) {
					t.Errorf("got the events %+v, want one of a and one of b", told)
				}
				for part, doc := range docs {
					c.put(layout.SetKey(hash, part), doc)
				}
				c.until("the ghost has its share", func() bool { return slices.Contains(c.owners("report"), "ghost") })
				c.delete(layout.InstanceKey("ghost@1"))
				c.until("the others share again", func() bool { return c.balanced("report", "a", "b") })
			})
		})
	}
}

// An instance writes a set of its own again that was deleted or damaged by
// hand.
func TestJobSets_OwnSetIsRenewed(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 2}}
		c.start("a")
		c.pass(5 * time.Second)
		hash := c.instance("a").Sets[0]
		for name, spoil := range map[string]func(){
			"all gone":         func() { c.delete(layout.SetKey(hash, 0)); c.delete(layout.SetKey(hash, 1)) },
			"the header gone":  func() { c.delete(layout.SetKey(hash, 0)) },
			"the part gone":    func() { c.delete(layout.SetKey(hash, 1)) },
			"the part damaged": func() { c.put(layout.SetKey(hash, 1), []byte("nonsense")) },
		} {
			spoil()
			c.pass(70 * time.Second)
			if got := c.has("a"); !slices.Equal(got, []string{"report"}) {
				t.Errorf("%s: the store has the jobs %v", name, got)
			}
		}
		c.start("b")
		c.until("they share", func() bool { return c.balanced("report", "a", "b") })
	})
}

// A set that is swept while an instance begins to name it is written again: the
// instance never names a set that is not there.
func TestJobSets_SweptWhileJoining(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 2}}
		a := c.start("a")
		c.pass(5 * time.Second)
		hash := c.instance("a").Sets[0]
		if err := c.leave(a); err != nil {
			t.Fatal(err)
		}
		swept := false
		c.startWith("b", func(r memory.Request) memory.Fault {
			registers := slices.ContainsFunc(
				r.Txn.Do,
				func(op store.Op) bool { return layout.Prefix(op.Key) == layout.Instances },
			)
			if registers && !swept {
				swept = true // it has seen the header
				c.delete(layout.SetKey(hash, 0))
			}
			return memory.Fault{}
		})
		c.pass(10 * time.Second)
		if got := c.has("b"); !slices.Equal(got, []string{"report"}) {
			t.Errorf("it has the jobs %v", got)
		}
	})
}

// The nine oldest instances write their clocks, which all watch. Three wrong
// ones among them stop no other instance, and a newcomer behind them learns of
// its wrong clock.
func TestClock_NineOldestWrite(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 12}}
		var wrong wrongClock
		for n := range 12 {
			var options []elastic.Option
			if n < 3 {
				options = append(options, wrong.option())
			}
			c.start(fmt.Sprintf("n%02d", n), options...)
			c.pass(2 * time.Second)
		}
		c.pass(3 * time.Minute)
		clocks := slices.DeleteFunc(
			c.server.Dump(),
			func(e store.Entry) bool { return layout.Prefix(e.Key) != layout.Clocks },
		)
		if len(clocks) != 9 {
			t.Errorf("%d clocks are written, want 9", len(clocks))
		}
		wrong.set(time.Hour)
		c.pass(3 * time.Minute)
		for n := range 12 {
			want := layout.Up
			if n < 3 {
				want = layout.ClockOff
			}
			if got := c.instance(fmt.Sprintf("n%02d", n)).State; got != want {
				t.Errorf("instance %d is %s, want %s", n, got, want)
			}
		}
		var late wrongClock
		late.set(time.Hour)
		c.start("late", late.option())
		c.pass(time.Minute)
		if got := c.instance("late").State; got != layout.ClockOff {
			t.Errorf("a newcomer whose clock is wrong is %s", got)
		}
		late.set(0)
		c.pass(3 * time.Minute)
		if got := c.instance("late").State; got != layout.Up {
			t.Errorf("when its clock is right again it is %s", got)
		}
	})
}
