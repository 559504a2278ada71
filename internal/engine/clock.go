package engine

import (
	"math"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// The nine oldest instances write their clocks, each in a key of its own that
// all watch. An instance whose clock differs from most of these begins nothing,
// and gets no shards until it agrees again: a clock that jumps an hour ahead for
// ten seconds would otherwise begin the fires of that hour. Of two clocks nothing
// says which is wrong, so two instances only report it.

// clockWriters is how many of the oldest instances write their clocks. A few
// wrong ones among them are outvoted, and what all watch does not grow with the
// fleet.
const clockWriters = 9

// greeters is how many of them write at once for an instance that is new, so that
// it learns soon whether its clock is right.
const greeters = 3

// sightings is how many writes of a clock it is judged by. One that was under way
// for long makes a clock look slow, never fast; so the one that makes it look
// fastest is the best of them, and a clock is slow only if it is so by more than
// the watch lags.
const sightings = 3

// clocks is what this instance knows of time.
type clocks struct {
	begun   time.Time     // the moment from which elapsed counts, by its monotonic reading
	round   bool          // the heartbeat of this period is not written yet
	written uint64        // periods whose heartbeat the store has taken
	offset  time.Duration // of this clock when it was last looked at, against elapsed
	echo    echo          // how long this instance's own writes take to be seen
	greetAt time.Time     // the clock is to be written then, for instances that are new; zero: it is not
	writes  bool          // this instance writes its clock; once true it stays
	seenOf  map[string]*sighting
	outlier bool // this clock differs from most others'
	differs bool // it differs from some
}

// echo measures how far the watches are behind, by this instance's own writes: of
// its key when it joins, and of its clock.
type echo struct {
	clock   time.Time     // that the last one holds; zero: it was the instance's key
	sent    time.Duration // when, by elapsed
	heard   time.Duration // when the watch has last shown one
	pending bool          // the watch has not shown it
	missed  bool          // it came with the content with which a watch begins, which shows nothing of how late it is
	lags    []time.Duration
}

const unknownLag = time.Duration(math.MaxInt64 / 2)

// echoAge is how long it is believed that a watch is no further behind than it
// was.
const echoAge = 5 * time.Minute

// lag is how far the watch may be behind; if that is not known, it is more than any difference of clocks.
func (c *clocks) lag() time.Duration {
	if c.echo.missed || len(c.echo.lags) == 0 || c.elapsed()-c.echo.heard > echoAge {
		return unknownLag
	}
	lag := slices.Max(c.echo.lags)
	if c.echo.pending {
		lag = max(lag, c.elapsed()-c.echo.sent)
	}
	return lag
}

// sending notes that this instance's clock is being written, or its key if the
// clock is zero.
func (c *clocks) sending(clock time.Time) {
	c.echo.clock, c.echo.sent = clock, c.elapsed()
	c.echo.pending = true
}

// seen notes that the watch has shown what this instance has written.
func (c *clocks) seen(clock time.Time, fresh bool) {
	if !c.echo.pending || !clock.Equal(c.echo.clock) {
		return
	}
	c.echo.pending, c.echo.missed = false, !fresh
	c.echo.heard = c.elapsed()
	if fresh {
		c.echo.lags = last(sightings, append(c.echo.lags, c.echo.heard-c.echo.sent))
	}
}

func last[T any](n int, of []T) []T { return of[max(len(of)-n, 0):] }

// sighting is what was seen of another instance's clock.
type sighting struct {
	version store.Version
	offsets []time.Duration // of its clock against elapsed, at its last writes
}

// elapsed is the time since the engine began, by the monotonic clock.
func (c *clocks) elapsed() time.Duration { return time.Since(c.begun) }

// against returns how far a clock that shows t now is ahead of elapsed.
func (c *clocks) against(t time.Time) time.Duration {
	return t.Round(0).Sub(c.begun.Round(0)) - c.elapsed()
}

// beaten notes that a heartbeat was written.
func (c *clocks) beaten() {
	if c.round {
		c.round = false
		c.written++
	}
}

// writesClock reports whether this instance writes its clock.
func (e *Engine) writesClock() bool {
	if rank := e.rank(); rank >= 0 && rank < clockWriters {
		e.clocks.writes = true
	}
	return e.clocks.writes
}

// greet writes this instance's clock for an instance that is new.
func (e *Engine) greet() {
	if rank := e.rank(); rank >= 0 && rank < greeters && e.clocks.greetAt.IsZero() {
		e.clocks.greetAt = time.Now().Add(greetAfter)
		e.after(greetAfter, func() {})
	}
}

// ringGreeting begins a greeting that is due. Assignments for the newcomer are
// due at the same instant. Whichever timer wakes the loop, one turn does both, so
// that they share a transaction, and a simulation repeats.
func (e *Engine) ringGreeting() {
	if at := e.clocks.greetAt; !at.IsZero() && !time.Now().Before(at) {
		e.clocks.greetAt = time.Time{}
		e.pulse.due = true
	}
}

// greetAfter is how long a greeting waits for other instances that are new: a
// fleet that starts at one instant is greeted once.
const greetAfter = 100 * time.Millisecond

// clocksChanged takes what the watch shows of clocks. Only an entry that has just
// been written says something about its clock: the content with which a watch
// begins can be as old as a heartbeat.
func (e *Engine) clocksChanged(ids []string, fresh bool) {
	for _, id := range ids {
		entry, there := e.replica.entries[layout.Clocks][id]
		if !there {
			delete(e.clocks.seenOf, id)
			continue
		}
		s := e.clocks.seenOf[id]
		if s == nil {
			s = &sighting{}
			e.clocks.seenOf[id] = s
		}
		doc, err := layout.DecodeClock(entry.Value)
		if entry.Version == s.version || err != nil {
			s.version = entry.Version
			continue
		}
		s.version = entry.Version
		if e.isMe(id) {
			e.clocks.seen(doc.Clock, fresh)
		}
		if fresh {
			s.offsets = last(sightings, append(s.offsets, e.clocks.against(doc.Clock)))
		}
	}
	e.judgeClock()
}

// sightSelf takes what the watch has shown of this instance's key before this
// process knew that it had joined.
func (e *Engine) sightSelf() {
	for _, p := range e.replica.peers {
		if e.isMe(p.id) {
			e.clocks.seen(time.Time{}, p.fresh)
			e.judgeClock()
		}
	}
}

// stepped is by how much the wall clock must have moved against the monotonic one to have been set.
const stepped = time.Second

// noticeStep looks at everything again when the wall clock was set. The alarms of shards are times of the clock as it was: one that was set
// while it was an hour ahead would ring an hour late.
func (e *Engine) noticeStep(now time.Time) {
	if offset := e.clocks.against(now); (offset - e.clocks.offset).Abs() > stepped {
		e.clocks.offset = offset
		e.pulse.due = true
		e.believePast(now)
		e.judgeClock()
		e.reviewAll()
	}
}

// judgeClock compares this instance's clock with those that are written. It is
// wrong if more than half of all are ahead of it by more than clocks may differ,
// or behind: so there is always one that is right, at least the one in the middle.
func (e *Engine) judgeClock() {
	mine := e.clocks.against(e.cfg.Now())
	known, ahead, behind, lag := 1, 0, 0, e.clocks.lag()
	if lag == unknownLag && e.clocks.outlier {
		e.askEcho()
		return // the next echo will show
	}
	seemBehind := 0
	var furthest time.Duration
	for id, s := range e.clocks.seenOf {
		if e.isMe(id) || len(s.offsets) == 0 || !e.replica.alive(id) {
			continue
		}
		known++
		d := slices.Max(s.offsets) - mine
		if d > failover.MaxSkew {
			ahead++
		}
		if d < -failover.MaxSkew {
			seemBehind++
		}
		if d < -failover.MaxSkew-lag {
			behind++
		}
		if d.Abs() > furthest.Abs() {
			furthest = d
		}
	}
	if lag == unknownLag && seemBehind > 0 {
		e.askEcho()
	}
	outlier, differs := 2*max(ahead, behind) > known, ahead+behind > 0
	if outlier != e.clocks.outlier || differs != e.clocks.differs {
		e.tellClock(outlier, differs, furthest)
	}
	e.clocks.differs = differs
	if outlier != e.clocks.outlier {
		e.clocks.outlier, e.selfChanged = outlier, true
		e.reviewAll()
	}
}

// askEcho writes this instance's clock, to learn how far its watch is behind.
func (e *Engine) askEcho() {
	if !e.clocks.echo.pending {
		e.clocks.writes = true
		e.pulse.due = true
	}
}

func (e *Engine) tellClock(outlier, differs bool, furthest time.Duration) {
	ev := observe.Event{Kind: observe.ClockOff, Shard: -1}
	by := furthest.Abs().Round(time.Second).String()
	switch {
	case outlier:
		ev.Code = "clock_wrong"
		ev.Args = map[string]string{"by": by}
		ev.Detail = "this clock differs from those of most instances by up to " + by + ": this one begins nothing until they agree"
	case differs:
		ev.Code = "clock_differs"
		ev.Args = map[string]string{"by": by}
		ev.Detail = "the clock of another instance differs from this one by " + by
	default:
		ev.Kind, ev.Detail = observe.ClockAgrees, "the clocks of all instances agree with this one"
	}
	e.emit(ev)
}
