package cron

import (
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
)

// Calendar names times at which a job must not fire: holidays, week-ends, a
// nightly window. It is immutable and safe for concurrent use.
type Calendar struct {
	loc   *time.Location
	rules []rule
}

// NewCalendar reads rules, each of which excludes times of loc:
//
//	2026-12-25               a date
//	2026-12-24..2027-01-02   from the one date to the other, both included
//	12-25, 12-24..01-02      the same in every year
//	SAT, SAT-SUN             weekdays
//	22:00-06:00              a daily window without its end; can pass midnight
//
// A nil loc is UTC. The error joins the faults of all rules. Weekdays or
// windows that leave no time at all are refused.
func NewCalendar(loc *time.Location, rules ...string) (*Calendar, error) {
	loc, err := location(loc)
	if err != nil {
		return nil, err
	}
	c := &Calendar{loc: loc}
	var list faults.List
	for _, text := range rules {
		r, err := parseRule(text)
		if err != nil {
			list.Append(err)
			continue
		}
		c.rules = append(c.rules, r)
	}
	if list.Len() == 0 && c.excludesAll() {
		list.Add("exceptions %s leave no time to fire", strings.Join(rules, ", "))
	}
	return c, list.Err()
}

// Excludes returns the first rule that excludes t, or "" if none does.
func (c *Calendar) Excludes(t time.Time) (rule string) {
	rule, _ = c.excluded(t)
	return rule
}

// excluded also returns a time after t until which the rule certainly holds. It
// may hold longer.
func (c *Calendar) excluded(t time.Time) (rule string, until time.Time) {
	s := stretchAt(t.Unix(), c.loc)
	for i := range c.rules {
		if wall, ok := c.rules[i].until(t.Unix() + s.offset); ok {
			// Beyond the next clock change another offset holds, so only look
			// that far.
			return c.rules[i].text, time.Unix(min(wall-s.offset, s.end), 0).In(t.Location())
		}
	}
	return "", time.Time{}
}

// excludesAll tries a week, second by second at the edges of windows, of the
// rules that return every week.
func (c *Calendar) excludesAll() bool {
	const week = 7 * daySeconds
	var weekly []rule
	for _, r := range c.rules {
		if r.kind == weekdayRule || r.kind == windowRule {
			weekly = append(weekly, r)
		}
	}
	for wall := int64(0); wall < week; {
		later := wall
		for i := range weekly {
			if until, ok := weekly[i].until(wall); ok {
				later = max(later, until)
			}
		}
		if later == wall {
			return false
		}
		wall = later
	}
	return true
}

// Except returns s without the fires that c excludes. Other fires do not move.
// A schedule that counts from the end of the last run fires when the exclusion
// ends. A nil c excludes nothing. Except panics if s is nil.
func Except(s Schedule, c *Calendar) Schedule {
	notNil("Except", s)
	if c == nil {
		return s
	}
	return &except{s, c}
}

type except struct {
	Schedule
	calendar *Calendar
}

func (e *except) Next(t time.Time) time.Time {
	next := e.Schedule.Next(t)
	for !next.IsZero() && next.Year() <= lastYear {
		rule, until := e.calendar.excluded(next)
		if rule == "" {
			return next
		}
		last := next
		next = from(e.Schedule, until)
		if !next.After(last) { // no schedule of ours; one that stands still must not hold us
			break
		}
	}
	return time.Time{}
}

// String returns the schedule and its exceptions.
func (e *except) String() string {
	return fmt.Sprint(e.Schedule) + " except " + strings.Join(e.calendar.texts(), ", ")
}

func (c *Calendar) texts() (list []string) {
	for _, r := range c.rules {
		list = append(list, r.text)
	}
	return list
}

func (e *except) unwrap() Schedule { return e.Schedule }
