package cron

import (
	"math"
	"time"
)

// Next returns the first fire after t, in the location of t, or the zero time
// when there is none.
//
// It walks the stretches in which the zone's offset is constant. Inside one,
// wall clock and absolute time differ by a constant, so the search is plain
// calendar arithmetic and no clock change can make it skip or invent a day.
// Stretches in which nothing can match are jumped over, so a rare expression
// costs no more than a few.
func (e *expression) Next(t time.Time) time.Time {
	after := t.Unix()
	if after > lastUnix {
		return time.Time{}
	}
	next := matcher{e, math.MaxInt64, math.MinInt64}
	for u := max(after+1, 0); ; {
		s := stretchAt(u, e.loc)
		shown := shownBefore(s, u, e.loc)
		if e.shiftGap && u == s.start && next.at(max(shown, 0)) < u+s.offset {
			return time.Unix(u, 0).In(t.Location())
		}
		wall := u + s.offset
		if !e.bothPasses {
			wall = max(wall, shown)
		}
		match := next.at(wall)
		if match != never && match-s.offset < s.end {
			return time.Unix(match-s.offset, 0).In(t.Location())
		}
		if s.end == math.MaxInt64 {
			return time.Time{}
		}
		if s.end-u < drift {
			u = s.end
			continue // the clock may yet go back to before wall
		}
		if match == never {
			return time.Time{}
		}
		// From s.end on every wall clock is later than wall, and until drift
		// before the match it is earlier than the match; so nothing fires in
		// between.
		u = max(s.end, match-s.offset-drift)
	}
}

// matcher remembers the last answer of nextWall: match is the first at or after
// wall.
type matcher struct {
	*expression
	wall, match int64
}

func (m *matcher) at(wall int64) int64 {
	if wall < m.wall || wall > m.match {
		m.wall, m.match = wall, m.nextWall(wall)
	}
	return m.match
}
