package integration

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// fires returns the seconds of the fires that ran, in order.
func (c *cluster) fires() string {
	var seconds []int
	for _, r := range c.find(func(*ran) bool { return true }) {
		seconds = append(seconds, r.fire.Second())
	}
	return fmt.Sprint(seconds)
}

// The overlap policy decides on fires that come during a run.
func TestOverlap_Policies(t *testing.T) {
	// A run takes 25 seconds, and the job fires every 10 seconds. Misfire
	// decides which of several waiting fires run.
	for _, row := range []struct {
		overlap elastic.Overlap
		misfire elastic.Misfire
		want    string
	}{
		{elastic.OverlapQueue, elastic.MisfireOnce, "[10 30 0 20]"}, // :30 supersedes :20, and so on
		{elastic.OverlapQueue, elastic.MisfireAll, "[10 20 30 40]"},
		{elastic.OverlapSkip, elastic.MisfireOnce, "[10 40 10]"},
		{elastic.OverlapSkip, elastic.MisfireAll, "[10 40 10]"},
	} {
		t.Run(fmt.Sprint(row.overlap, " ", row.misfire), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{
					{Name: "slow", Schedule: "0/10 * * * * ?", Overlap: row.overlap, Misfire: row.misfire},
				}
				c.does(sleepFor(25 * time.Second))
				c.start("a")
				c.pass(95 * time.Second)
				if got := c.fires(); got != row.want {
					t.Errorf("ran the fires %s, want %s", got, row.want)
				}
			})
		})
	}
}

// With OverlapReplace a later fire replaces a run.
func TestOverlap_Replace(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "slow", Schedule: "0/10 * * * * ?", Overlap: elastic.OverlapReplace}}
		c.does(sleepFor(25 * time.Second))
		c.start("a")
		c.pass(35 * time.Second)
		if got := c.fires(); got != "[10 20 30]" {
			t.Errorf("ran the fires %s, want [10 20 30]", got)
		}
		for _, r := range c.find(func(r *ran) bool { return r.fire.Second() < 30 }) {
			if !errors.Is(r.cause, elastic.ErrReplaced) {
				t.Errorf("the run of :%d ended with the cause %v, want ErrReplaced", r.fire.Second(), r.cause)
			}
		}
		var results []string
		for _, e := range c.seen(observe.Ended) {
			results = append(results, e.Result)
		}
		if got := fmt.Sprint(results); got != "[replaced replaced]" {
			t.Errorf("the runs ended as %s, want [replaced replaced]", got)
		}
		c.does(nothing)
	})
}
