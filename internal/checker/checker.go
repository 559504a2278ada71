// Package checker says whether what happened to a job was as promised: it takes
// what handlers did, what was done to their processes and what the store holds
// in the end, and returns every breach, by the number of the invariant.
//
//	1  fences grow with every claim, and of a shard no two executions overlap that live
//	2  no fire of a shard begins twice with attempt 1
//	3  attempt k+1 begins only if attempt k began, did not complete, and its process was gone
//	4  every fire that was due is accounted for
//	5  nothing sticks
//	6  in the end each shard has one owner, that may own
//	7  nothing begins once a disable was acknowledged
//	8  in the end the store holds specs, assignments, one idle record a shard, and live instances
//	9  a job runs as it was told: after what it follows, within its limits, where it may (only [Audit] and its users see that)
//
// It knows nothing of tests and starts nothing: whoever has a [History] can
// have it checked.
//
// What it can't see is given the benefit of the doubt, and each such case is
// named where it is decided: what a process that was frozen did before it
// noticed, and what a process claimed that died before it could say so.
package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Violation is a breach of an invariant.
type Violation struct {
	Invariant int
	Job       string
	Shard     int       // -1 if it is not about one shard
	Time      time.Time // zero if it is about the end
	Text      string
}

func (v Violation) String() string {
	text := fmt.Sprintf("invariant %d: %s", v.Invariant, v.Job)
	if v.Shard >= 0 {
		text += fmt.Sprintf("/%d", v.Shard)
	}
	if !v.Time.IsZero() {
		text += " at " + v.Time.Format(clock)
	}
	return text + ": " + v.Text
}

const clock = "15:04:05.000"

// Check returns all breaches that it finds, by shard and time.
func (h History) Check() []Violation {
	c := checker{History: h, processes: processesOf(h.Acts, h.TTL)}
	jobs := c.hygiene()
	for _, l := range h.Lines {
		if jobs[l.Job] == nil {
			c.violate(8, l.Job, -1, l.Time, "it ran, and is not in the store")
			jobs[l.Job] = &job{}
		}
	}
	for name, j := range jobs {
		if j.spec == nil {
			continue
		}
		for item := range max(j.spec.Shards, c.shards(name)) {
			s := &shard{job: j, name: name, item: item, runs: c.executions(name, item)}
			c.claims(s)
			c.attempts(s)
			c.fires(s)
			c.progress(s)
			c.disabled(s)
		}
		c.cover(name, j.spec)
	}
	slices.SortStableFunc(c.found, func(a, b Violation) int {
		return cmp.Or(strings.Compare(a.Job, b.Job), cmp.Compare(a.Shard, b.Shard), a.Time.Compare(b.Time))
	})
	return c.found
}

// checker is one check of one history.
type checker struct {
	History
	processes processes
	found     []Violation
}

func (c *checker) violate(invariant int, job string, shard int, at time.Time, format string, a ...any) {
	c.found = append(c.found, Violation{invariant, job, shard, at, fmt.Sprintf(format, a...)})
}

// job is what the store holds of a job in the end.
type job struct {
	spec    *layout.Spec // nil: it is not there, or can't be read, which is a violation by itself
	policy  failover.Policy
	records map[int]failover.Record
}

// shard is what there is to know about one shard.
type shard struct {
	*job
	name string
	item int
	runs []execution // by the time at which they started
}

func (c *checker) breach(s *shard, invariant int, at time.Time, format string, a ...any) {
	c.violate(invariant, s.name, s.item, at, format, a...)
}

// shards returns how many shards of a job have lines.
func (c *checker) shards(job string) (n int) {
	for _, l := range c.Lines {
		if l.Job == job {
			n = max(n, l.Shard+1)
		}
	}
	return n
}

// hygiene reads what the store holds, and checks invariant 8.
func (c *checker) hygiene() map[string]*job {
	jobs := map[string]*job{}
	of := func(name string) *job {
		if jobs[name] == nil {
			jobs[name] = &job{records: map[int]failover.Record{}}
		}
		return jobs[name]
	}
	for _, e := range c.Final {
		if why := c.inspect(e, of); why != "" {
			c.violate(8, e.Key, -1, time.Time{}, "%s: %s", why, e.Value)
		}
	}
	return jobs
}

// inspect looks at one key, and says what is wrong with it.
func (c *checker) inspect(e store.Entry, of func(job string) *job) string {
	kind := layout.KindOf(e.Key)
	if kind == nil {
		return "nothing has such a key"
	}
	_, rest, _ := strings.Cut(e.Key, "/")
	switch kind.Prefix {
	case layout.Jobs:
		doc, err := layout.DecodeJob(e.Value)
		if err != nil {
			return err.Error()
		}
		spec := doc.Here()
		if spec == nil {
			return ""
		}
		j := of(rest)
		if j.policy, err = spec.Policy(); err != nil {
			return err.Error()
		}
		j.spec = spec
	case layout.Assignments:
		a, err := layout.DecodeAssignment(e.Value)
		if err != nil {
			return err.Error()
		}
		if a.Surplus != 0 {
			return "records of shards that the job no longer has are still to be removed"
		}
	case layout.Signals:
		if _, err := layout.DecodeSignal(e.Value); err != nil {
			return err.Error()
		}
	case layout.Instances:
		i, err := layout.DecodeInstance(e.Value)
		if err != nil {
			return err.Error()
		}
		if p := c.processes.at(i.PID, c.End); p == nil || !p.gone.IsZero() {
			return fmt.Sprintf("its process %d is gone", i.PID)
		}
	case layout.Heartbeats, layout.Clocks:
		for _, other := range c.Final {
			if other.Key == layout.InstanceKey(rest) {
				return ""
			}
		}
		return "its instance is gone"
	case layout.JobSets: // the last program leaves its own
	case layout.Revisions:
		if _, err := layout.DecodeJob(e.Value); err != nil {
			return err.Error()
		}
	case layout.Runs:
		name, item, _ := layout.RunOf(e.Key)
		r, err := failover.Decode(e.Value)
		if err != nil {
			return err.Error()
		}
		of(name).records[item] = r
		if r.State != failover.StateIdle {
			return "a run in progress"
		}
	default:
		return "nothing writes such a key"
	}
	return ""
}
