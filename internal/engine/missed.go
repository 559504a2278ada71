package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/observe"
)

// Missed fires are reported once. What the shards of a job miss together, as
// all do after an outage, is one event and not one for each shard.

// misses is a group of shards that miss the same fires.
type misses struct {
	job     *job
	policy  failover.Policy // whose schedule has the fires
	missed  failover.Decision
	from    time.Time // the first of them that was not reported
	instead bool      // a fire begins that stands for them
	shards  []*shard
}

// noteMissed notes the fires that a decision says are missed, for the report at
// the end of settle. Of a long run that skips fires the first is reported when
// it comes, and the others when the next run begins.
func (e *Engine) noteMissed(s *shard, p failover.Policy, d failover.Decision) {
	if s.surplus {
		return
	}
	if r := s.rest; r != nil && (d.Action == failover.ActionBegin || d.Action == failover.ActionWait && d.Wake.IsZero()) {
		s.rest = nil
		e.addMisses(s, r.policy, r.missed, r.from)
	}
	if d.Missed.IsZero() {
		return
	}
	from := d.Missed
	if !s.told.Before(from) {
		from = p.Schedule.Next(s.told)
	}
	if from.IsZero() || !from.Before(d.MissedBefore) {
		return
	}
	if d.MissedCode == failover.CodeMissedOverlap && from.After(d.Missed) {
		s.rest = &misses{policy: p, missed: d, from: from}
		return
	}
	e.addMisses(s, p, d, from)
}

// noteDropped notes the fires that were to begin, and that don't count any more
// because the job was changed.
func (e *Engine) noteDropped(s *shard, p failover.Policy, v failover.View) {
	before := s.job.before
	if before == nil || s.surplus || !s.owned || s.unclaimed || s.changed.Equal(p.Since) {
		return
	}
	s.changed = p.Since
	old := *before
	old.Enabled, old.Grown = p.Enabled, p.Grown
	d := p.Dropped(old, v)
	from := d.Missed
	if !from.IsZero() && !s.told.Before(from) {
		from = old.Schedule.Next(s.told)
	}
	if !from.IsZero() && from.Before(d.MissedBefore) {
		e.addMisses(s, old, d, from)
	}
}

func (e *Engine) addMisses(s *shard, p failover.Policy, d failover.Decision, from time.Time) {
	instead := d.Action == failover.ActionBegin
	// Shards of a job mostly come one after another. To look further back would
	// cost more than it saves when thousands of jobs are late together.
	const back = 64
	for _, m := range e.missed[max(0, len(e.missed)-back):] {
		if m.job == s.job && m.from.Equal(from) && m.missed.MissedBefore.Equal(d.MissedBefore) && m.missed.MissedCode == d.MissedCode && m.instead == instead {
			m.shards = append(m.shards, s)
			return
		}
	}
	d.Missed = from
	e.missed = append(e.missed, &misses{job: s.job, policy: p, missed: d, from: from, instead: instead, shards: []*shard{s}})
}

// reportMissed reports what was noted.
func (e *Engine) reportMissed() {
	for _, m := range e.missed {
		count, last := m.policy.CountMissed(m.missed)
		for _, s := range m.shards {
			s.told = last
		}
		ev := m.event(count, last)
		e.emit(ev)
		if e.cfg.Journal != nil {
			e.cfg.Journal.MissFires(e.missedRow(m, ev, count))
		}
	}
	e.missed = e.missed[:0]
}

// whyMissed says in words why fires are missed.
var whyMissed = map[failover.Code]string{
	failover.CodeMissedTooLate:    "too late by the misfire policy",
	failover.CodeMissedSuperseded: "a later fire stands for them by the misfire policy",
	failover.CodeMissedOverlap:    "they came while the handler ran, and the overlap policy skips them",
	failover.CodeMissedJobChanged: "the job was changed before they began, and fires count from the change on",
	failover.CodeMissedCancelled:  "an operator cancelled the last of them",
	failover.CodeMissedClock:      "a clock that was ahead has written from when on fires count",
}

// missedRow returns what history says of missed fires.
func (e *Engine) missedRow(m *misses, ev observe.Event, count int) history.Missed {
	row := history.Missed{
		Job:    m.job.name,
		Shard:  m.shards[0].item,
		Shards: ev.Args["shards"],
		First:  m.from,
		Last:   ev.Until,
		Count:  ev.Count,
		More:   count > failover.MaxMissed,
		Code:   ev.Code,
		Seen:   e.cfg.Now(),
	}
	for _, s := range m.shards {
		row.Shard = min(row.Shard, s.item)
	}
	if e.me != nil {
		row.Instance = e.me.id
	}
	return row
}

func (m *misses) event(count int, last time.Time) observe.Event {
	items := make([]int, len(m.shards))
	for i, s := range m.shards {
		items[i] = s.item
	}
	slices.Sort(items)
	ev := observe.Event{
		Kind:  observe.Missed,
		Job:   m.job.name,
		Shard: wholeJob,
		Fire:  m.from,
		Until: last,
		Count: min(count, failover.MaxMissed),
		Code:  string(m.missed.MissedCode),
		Args: map[string]string{
			"misfire": string(m.policy.Misfire),
			"overlap": string(m.policy.Overlap),
			"shards":  ranges(items),
		},
	}
	if len(items) == 1 {
		ev.Shard = items[0]
	}
	what := "1 fire is not run: "
	switch {
	case count > failover.MaxMissed:
		ev.Args["more"] = "true"
		what = fmt.Sprintf("%d fires or more are not run: ", failover.MaxMissed)
	case count > 1:
		what = fmt.Sprintf("%d fires are not run: ", count)
	}
	ev.Detail = what + whyMissed[m.missed.MissedCode]
	if m.instead {
		ev.Args["next"] = m.missed.Fire.UTC().Format(time.RFC3339)
		ev.Detail += "; the next to run is that of " + m.missed.Fire.Format(time.RFC3339)
	}
	return ev
}

// ranges returns numbers that are sorted as text, such as "0-4, 7".
func ranges(of []int) string {
	var parts []string
	for i := 0; i < len(of); {
		k := i
		for k+1 < len(of) && of[k+1] == of[k]+1 {
			k++
		}
		part := strconv.Itoa(of[i])
		if k > i {
			part += "-" + strconv.Itoa(of[k])
		}
		parts = append(parts, part)
		i = k + 1
	}
	return strings.Join(parts, ", ")
}
