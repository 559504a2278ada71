package integration

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/integration/clustertest"
	"github.com/elasticjob-go/elastic/observe"
)

// checkRest checks the store's content at rest. It first waits until the
// sessions of crashed processes have expired.
func (c *cluster) checkRest() {
	c.t.Helper()
	time.Sleep(ttl + time.Second)
	for _, fault := range clustertest.Residue(c.server.Dump()) {
		c.t.Error(fault)
	}
}

// checkRuns checks the executions: fences of a shard grow, and no two
// executions by live processes overlap.
func (c *cluster) checkRuns() {
	c.t.Helper()
	type key struct {
		job   string
		shard int
	}
	last := map[key]*ran{}
	first := map[string]bool{}
	for _, r := range c.runs {
		k := key{r.job, r.shard}
		if p := last[k]; p != nil {
			if r.fence < p.fence && slices.ContainsFunc(r.node.evicted, func(t time.Time) bool {
				return !t.After(r.start) && r.start.Sub(t) < ttl
			}) {
				continue // a zombie that has not yet learned of its eviction, with the smaller fence
			}
			if r.fence <= p.fence && r.fence != 0 {
				c.t.Errorf("%s/%d ran with fence %d after fence %d", r.job, r.shard, r.fence, p.fence)
			}
			// An instance that a test evicts learns of it later. Until then
			// only\n\t\t\t// the fence protects its shards.
			evicted := slices.ContainsFunc(p.node.evicted, func(t time.Time) bool {
				return t.After(p.start.Add(-ttl)) && !t.After(r.start)
			})
			if (p.end.IsZero() || r.start.Before(p.end)) && (p.cancelled.IsZero() || p.cancelled.After(r.start)) &&
				!evicted {
				c.t.Errorf("%s/%d began on %s at %s, while it was running on %s since %s", r.job, r.shard, r.node.name,
					stamp(r.start), p.node.name, stamp(p.start))
			}
		}
		last[k] = r
		if id := fmt.Sprint(k, r.fire, r.trigger); r.attempt == 1 {
			if first[id] && !c.audit.WrongClocks() {
				c.t.Errorf("%s/%d: the fire of %s began twice", r.job, r.shard, stamp(r.fire))
			}
			first[id] = true
		}
	}
}

// missing returns the fires of a shard that never succeeded, one a period
// between two times.
func (c *cluster) missing(job string, shard int, from, to time.Time, period time.Duration) []time.Time {
	done := map[int64]bool{}
	for _, r := range c.find(func(r *ran) bool {
		return r.job == job && r.shard == shard && !r.died && !r.end.IsZero() && r.err == nil
	}) {
		done[r.fire.Unix()] = true
	}
	var missing []time.Time
	for t := from; !t.After(to); t = t.Add(period) {
		if !done[t.Unix()] {
			missing = append(missing, t)
		}
	}
	return missing
}

func stamp(t time.Time) string { return clustertest.Stamp(t) }

// story returns the history of the cluster, for a failed test.
func (c *cluster) story() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	b.WriteString("commits on records:\n")
	b.WriteString(c.audit.String())
	b.WriteString("executions:\n")
	for _, r := range c.runs {
		fmt.Fprintf(
			&b,
			"  %s %s/%d on %s fire %s attempt %d fence %d until %s died=%v err=%v cause=%v\n",
			stamp(
				r.start,
			),
			r.job,
			r.shard,
			r.node.name,
			stamp(r.fire),
			r.attempt,
			r.fence,
			stamp(r.end),
			r.died,
			r.err,
			r.cause,
		)
	}
	b.WriteString("events:\n")
	for _, e := range c.events {
		if !slices.Contains([]observe.Kind{observe.Began, observe.Ended}, e.Kind) {
			fmt.Fprintf(&b, "  %s %s %s %s/%d %s %s %v\n", stamp(e.Time), e.Instance, e.Kind, e.Job, e.Shard, e.Subject,
				e.Detail, e.Err)
		}
	}
	return b.String()
}
