package checker

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// cover checks invariant 6: in the end each shard of a job has one owner, and
// it may own. If nobody is left there is nobody to own.
func (c *checker) cover(name string, spec *layout.Spec) {
	may, held := map[string]bool{}, cordons(c.Final)
	var owners []string
	there := false
	sets := layout.DecodeJobSets(c.Final)
	for _, e := range c.Final {
		if id, ok := layout.NameOf(layout.Instances, e.Key); ok {
			i, err := layout.DecodeInstance(e.Value)
			if held(id, i) || !i.Meets(spec.Requires) {
				continue
			}
			may[id] = err == nil && i.State == layout.Up && sets.Has(i.Sets, name)
		}
		if e.Key == layout.AssignmentKey(name) {
			a, err := layout.DecodeAssignment(e.Value)
			owners, there = a.Owners, err == nil
		}
	}
	switch {
	case len(may) == 0:
	case !there:
		c.violate(6, name, -1, time.Time{}, "its shards are given to nobody")
	case len(owners) != spec.Shards:
		c.violate(6, name, -1, time.Time{}, "%d shards are given to somebody, it has %d", len(owners), spec.Shards)
	default:
		for item, id := range owners {
			if !may[id] {
				c.violate(6, name, item, time.Time{}, "it is given to %s, which may not own it", id)
			}
		}
	}
}

// cordons returns a function that reports whether an operator keeps an instance
// from owning shards.
func cordons(final []store.Entry) func(id string, i layout.Instance) bool {
	all := map[string]layout.Cordon{}
	for _, e := range final {
		name, ok := layout.NameOf(layout.Cordons, e.Key)
		if !ok {
			continue
		}
		c, err := layout.DecodeCordon(name, e.Value)
		if err == nil && c.Action != layout.ActionNone && c.Action != layout.ActionPause {
			all[name] = c
		}
	}
	return func(id string, i layout.Instance) bool {
		for name, c := range all {
			if c.Meets(name, id, i) {
				return true
			}
		}
		return false
	}
}

// disabled checks invariant 7. A handler starts a moment after its claim, which
// may have been made just before.
func (c *checker) disabled(s *shard) {
	var off time.Time // since when; zero: it is enabled
	acts := slices.Clone(c.Acts)
	slices.SortStableFunc(acts, func(a, b Act) int { return a.Time.Compare(b.Time) })
	for _, x := range s.runs {
		for len(acts) > 0 && !acts[0].Time.After(x.start.Time) {
			switch a := acts[0]; {
			case a.Job != s.name:
			case a.Kind == Disable:
				off = a.Time
			case a.Kind == Enable:
				off = time.Time{}
			}
			acts = acts[1:]
		}
		if !off.IsZero() && x.start.Time.Sub(off) > unstarted {
			c.breach(s, 7, x.start.Time, "begun %s after the job was disabled: %s", x.start.Time.Sub(off).Round(time.Millisecond), x)
		}
	}
}

// unstarted is how long a handler may take to start once its claim is made.
const unstarted = 500 * time.Millisecond
