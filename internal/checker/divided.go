package checker

import (
	"maps"
	"slices"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// divided is how the work of a job is divided among its shards. A resource that
// remembers fences may hold pieces of it that other shards do from then on: so
// the fences of all claims that are made after a change are greater than those
// of all claims before it, whichever the shards.
type divided struct {
	number     int      // of changes
	claims     int      // so far
	highest    uint64   // fence of all claims
	before     uint64   // the greatest fence of a claim before the last change
	floors     []uint64 // by number: the least fence of a claim
	assigned   layout.Assignment
	parameter  string
	parameters map[int]string
}

// dividedOf returns how a job's work is divided. It is never nil.
func (a *Audit) dividedOf(job string) *divided {
	d := a.divided[job]
	if d == nil {
		d = &divided{floors: []uint64{0}}
		a.divided[job] = d
	}
	return d
}

// Division returns the number of the division of a job's work that is in force.
func (a *Audit) Division(job string) int { return a.dividedOf(job).number }

// divides takes an assignment: it changes the division if other shards may do a
// piece of the work by it.
func (a *Audit) divides(job string, next layout.Assignment) {
	d := a.dividedOf(job)
	spec := a.specs[job]
	if spec == nil {
		return
	}
	same := d.assigned.Strategy == next.Strategy && len(d.assigned.Owners) == len(next.Owners) &&
		d.parameter == spec.Parameter && maps.Equal(d.parameters, spec.ShardParameters) &&
		(!spec.Broadcast() || slices.Equal(d.assigned.Owners, next.Owners))
	d.assigned = next
	if same {
		return
	}
	d.parameter, d.parameters = spec.Parameter, spec.ShardParameters
	d.before = d.highest
	d.number++
	d.floors = append(d.floors, next.Fences)
}

// outranks checks that a claim has a greater fence than all claims under
// another division, before it.
func (a *Audit) outranks(s *Shard, now failover.Record) *divided {
	d := a.dividedOf(s.Job)
	if now.Fence <= d.before {
		a.breach(1, s.Job, s.Item, "claimed with the fence %d, and a shard had %d before the work was divided otherwise: %s", now.Fence, d.before, now)
	}
	d.highest = max(d.highest, now.Fence)
	d.claims++
	s.division = d.number
	return d
}

// outrankedStill checks that a run which goes on under a new claim does not get
// ahead of those for which the work is divided otherwise.
func (a *Audit) outrankedStill(s *Shard, now failover.Record) {
	d := a.dividedOf(s.Job)
	d.highest = max(d.highest, now.Fence)
	if later := s.division + 1; later < len(d.floors) && now.Fence >= d.floors[later] {
		a.breach(1, s.Job, s.Item, "claimed anew with the fence %d, and the work is divided otherwise from %d on: %s", now.Fence, d.floors[later], now)
	}
}
