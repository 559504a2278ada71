package checker

import (
	"cmp"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

// fires checks invariant 4: each fire of the schedule, from the moment at which
// the job came into the store up to the record's last one, is accounted for.
//
// A fire is accounted for if one of its attempts completed, well or not. Else
//
//   - if it was begun, all its attempts must have been cut off, and no further one been allowed: the job has no failover, or
//     MaxAttempts of them died. If it is the record's, the record must say that it is lost;
//   - if it was never begun, the misfire policy must allow that. With all it never does (nor is there a history so long
//     that the window matters). With once and skip a later fire stands for it, or none; but only if it could not begin before the
//     next one came: the shard was running, or a process had been lost.
func (c *checker) fires(s *shard) {
	runs := map[int64][]execution{}
	for _, x := range s.runs {
		runs[x.start.Fire.Unix()] = append(runs[x.start.Fire.Unix()], x)
	}
	record, ok := s.records[s.item]
	if !ok {
		return // see progress
	}
	for fire := s.policy.Schedule.Next(s.policy.Since); !fire.IsZero() && !fire.After(record.Fire); fire = s.policy.Schedule.Next(fire) {
		if why := c.unaccounted(s, fire, runs[fire.Unix()], record); why != "" {
			c.breach(s, 4, fire, "the fire %s: %s", fire.Format(time.TimeOnly), why)
		}
		delete(runs, fire.Unix())
	}
	for _, list := range runs {
		c.breach(s, 4, list[0].start.Time, "the schedule has no such fire, or the record does not know of it: %s", list[0])
	}
}

// unaccounted says why a fire is not accounted for.
func (c *checker) unaccounted(s *shard, fire time.Time, runs []execution, record failover.Record) string {
	if len(runs) == 0 {
		if !s.spec.Failover && s.claimedUnseen(fire, record) {
			return "" // its process was lost before the handler could start, or there would be a breach of invariant 1; it is not repeated
		}
		if s.spec.Misfire == failover.MisfireAll || c.couldBegin(s, fire) {
			return "nobody began it"
		}
		return ""
	}
	handedOver := 0
	for _, x := range runs {
		switch {
		case x.unfinished() && x.process.leftBetween(x.start.Time, x.end.Time):
			handedOver++
		case x.completed(c.End), fire.After(c.End) && x.completed(x.until): // it may begin while everybody leaves, and has time to end
			return ""
		}
	}
	last := slices.MaxFunc(runs, func(a, b execution) int { return cmp.Compare(a.start.Attempt, b.start.Attempt) })
	switch {
	case s.spec.Failover && last.start.Attempt-handedOver < s.spec.MaxAttempts:
		return "it was begun, not completed and not repeated: " + last.String()
	case record.Fire.Equal(fire) && record.Result != failover.ResultLost:
		return "nobody completed it, and the record says " + record.String()
	}
	return ""
}

// claimedUnseen says whether there is a fence that nobody was given between the
// last run before a fire and the first one after it.
func (s *shard) claimedUnseen(fire time.Time, record failover.Record) bool {
	before, after := uint64(0), record.Fence+1
	for _, x := range s.runs {
		if x.start.Fire.Before(fire) {
			before = max(before, x.start.Fence)
		} else {
			after = min(after, x.start.Fence)
		}
	}
	return after > before+1
}

// couldBegin says whether there was time enough to begin a fire before the next
// one came: Bound, not counting the time in which the shard was running, and in
// which an owner of it may just have been lost.
func (c *checker) couldBegin(s *shard, fire time.Time) bool {
	next := s.policy.Schedule.Next(fire)
	if next.IsZero() || next.After(c.End) {
		next = c.End
	}
	busy := []span{}
	for _, x := range s.runs {
		busy = append(busy, span{x.start.Time, x.until})
	}
	for _, a := range c.Acts {
		busy = append(busy, span{a.Time, a.Time.Add(c.TTL + c.Bound)})
	}
	slices.SortFunc(busy, func(a, b span) int { return a.from.Compare(b.from) })
	free, from := time.Duration(0), fire
	for _, b := range busy {
		if b.from.After(from) {
			free = max(free, earlier(b.from, next).Sub(from))
		}
		from = later(from, b.to)
	}
	return max(free, next.Sub(from)) >= c.Bound
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
