package cron

import (
	"math"
	"sort"
	"time"
)

// drift exceeds the difference of any two UTC offsets that a zone ever had (at
// most 25 hours, where the date line moved). Wall clocks that are read at least
// so far apart show times in the order in which they were read.
const drift = 48 * 3600

// stretch is a time during which a zone's offset from UTC does not change: from
// start on and before end, in seconds since the epoch. The next one may have
// the same offset.
type stretch struct{ start, end, offset int64 }

func stretchAt(u int64, loc *time.Location) stretch {
	t := time.Unix(u, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	s := stretch{math.MinInt64, math.MaxInt64, int64(offset)}
	if !start.IsZero() {
		s.start = start.Unix()
	}
	if !end.IsZero() {
		s.end = end.Unix()
	}
	// On December 31 of leap years that only a zone's closing rule covers
	// (2028, say), ZoneBounds returns an end in the past: it takes the year to
	// have 365 days. See golang/go#81583. No clock changes before that day ends
	// in UTC.
	if s.end <= u {
		s.end = (floorDiv(u, daySeconds) + 1) * daySeconds
	}
	// In the first year that the closing rule covers, ZoneBounds returns the
	// start that the rule would have, though the zone may have changed its
	// offset since, as Ciudad Juarez did on 2022-11-30. Only a recent change
	// matters to us.
	if probe := max(s.start, u-drift); offsetAt(probe, loc) != s.offset {
		back := sort.Search(int(u-probe), func(n int) bool { return offsetAt(u-int64(n), loc) != s.offset })
		s.start = u - int64(back) + 1
	}
	return s
}

func offsetAt(u int64, loc *time.Location) int64 {
	_, offset := time.Unix(u, 0).In(loc).Zone()
	return int64(offset)
}

// shownBefore returns the latest wall clock that the zone had come to when the
// stretch of u began; whatever the stretch shows before it, it shows for the
// second time. Older stretches count as far as that is possible.
func shownBefore(s stretch, u int64, loc *time.Location) int64 {
	shown := int64(math.MinInt64)
	for s.start > u-drift {
		start := s.start
		s = stretchAt(start-1, loc)
		shown = max(shown, start+s.offset)
	}
	return shown
}
