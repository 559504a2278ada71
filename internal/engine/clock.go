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

// Every instance writes its key anew once a resync period, with its clock and a counter: its beat. It serves two ends.
//
// An instance whose clock differs from most others' begins nothing, and gets no shards until it agrees again. A clock that jumps an hour
// ahead for ten seconds would else begin the fires of that hour. Of two clocks nobody can say which is wrong, so two
// instances only report it.
//
// And an instance whose counter stands still although the store works is declared dead by another, for stores that forget to end
// a session.

// silentBeats is how many beats of its own an instance makes before it declares one dead that made none meanwhile. The next oldest
// waits for one more, and so on.
const silentBeats = 5

// sightings is how many beats of an instance its clock is judged by. A beat that was under way for long makes a clock look slow, never
// fast; so the one that makes it look fastest is the best of them, and a clock is slow only if it is so by more than the watch lags.
const sightings = 3

// clocks is what this instance knows of time.
type clocks struct {
	begun    time.Time     // the moment from which elapsed counts, by its monotonic reading
	due      bool          // this instance's key is to be written anew
	greeting bool          // it is to be written for instances that are new, in a moment
	round    bool          // its beat of this period is not written yet
	written  uint64        // periods whose beat the store has taken
	offset   time.Duration // of this clock when it was last looked at, against elapsed
	echo     echo          // how long this instance's own beats take to be seen
	outlier  bool          // this clock differs from most others'
	differs  bool          // it differs from some
}

// echo measures how far the watch is behind, by this instance's own writes of its key.
type echo struct {
	clock   time.Time     // that the last one holds
	sent    time.Duration // when, by elapsed
	pending bool          // the watch has not shown it
	missed  bool          // it came with the content with which a watch begins, which shows nothing of how late it is
	lags    []time.Duration
}

const unknownLag = time.Duration(math.MaxInt64 / 2)

// lag is how far the watch may be behind; if that is not known, it is more than any difference of clocks.
func (c *clocks) lag() time.Duration {
	if c.echo.missed || len(c.echo.lags) == 0 {
		return unknownLag
	}
	lag := slices.Max(c.echo.lags)
	if c.echo.pending {
		lag = max(lag, c.elapsed()-c.echo.sent)
	}
	return lag
}

// sending notes that this instance's key is being written.
func (c *clocks) sending(clock time.Time) {
	c.echo.clock, c.echo.sent, c.echo.pending = clock.Truncate(time.Millisecond), c.elapsed(), true
}

// seen notes that the watch has shown this instance's key.
func (c *clocks) seen(clock time.Time, fresh bool) {
	if !c.echo.pending || !clock.Equal(c.echo.clock) {
		return
	}
	c.echo.pending, c.echo.missed = false, !fresh
	if fresh {
		c.echo.lags = last(sightings, append(c.echo.lags, c.elapsed()-c.echo.sent))
	}
}

func last[T any](n int, of []T) []T { return of[max(len(of)-n, 0):] }

// sighting is what was seen of another instance.
type sighting struct {
	version store.Version   // of its key, at its last beat
	written uint64          // clocks.written then
	offsets []time.Duration // of its clock against elapsed, at its last beats
	fresh   bool            // the last beat was shown as a change, not as part of a first content
}

// elapsed is the time since the engine began, by the monotonic clock.
func (c *clocks) elapsed() time.Duration { return time.Since(c.begun) }

// against returns how far a clock that shows t now is ahead of elapsed.
func (c *clocks) against(t time.Time) time.Duration {
	return t.Round(0).Sub(c.begun.Round(0)) - c.elapsed()
}

// beat tells the others that this instance lives, and what its clock shows.
func (e *Engine) beat() {
	e.clocks.due, e.clocks.round = true, true
	e.judgeClock()
	e.evictSilent()
}

// beaten notes that this instance's key was written.
func (c *clocks) beaten() {
	if c.round {
		c.round = false
		c.written++
	}
}

// greet makes a beat for an instance that is new, so that it learns at once whether its clock is right. Three clocks are enough to say.
func (e *Engine) greet() {
	for _, p := range e.replica.peers[:min(3, len(e.replica.peers))] {
		if !e.isMe(p.id) || e.clocks.greeting {
			continue
		}
		e.clocks.greeting = true
		e.after(greetAfter, func() { e.clocks.greeting, e.clocks.due = false, true })
	}
}

// greetAfter is how long a greeting waits for other instances that are new: a
// fleet that starts at one instant is greeted once.
const greetAfter = 20 * time.Millisecond

// sight takes what an instance's key shows. Only an entry that has just been written says something about its clock: the content with
// which a watch begins can be as old as a beat.
func (e *Engine) sight(p *peer, version store.Version, fresh bool) {
	s := &p.sighting
	if version == s.version {
		return
	}
	s.version, s.written, s.fresh = version, e.clocks.written, fresh
	if e.isMe(p.id) {
		e.clocks.seen(p.Clock, fresh)
	}
	if fresh && p.readable && !p.Clock.IsZero() {
		s.offsets = last(sightings, append(s.offsets, e.clocks.against(p.Clock)))
	}
}

// sightSelf takes what the watch has shown of this instance's key before this
// process knew that it had joined. Without it, how far the watch is behind would
// not be known until the next beat, and a clock that is ahead would be believed
// for so long.
func (e *Engine) sightSelf() {
	for _, p := range e.replica.peers {
		if e.isMe(p.id) {
			e.clocks.seen(p.Clock, p.sighting.fresh)
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
		e.clocks.offset, e.clocks.due = offset, true
		e.believePast(now)
		e.judgeClock()
		e.reviewAll()
	}
}

// judgeClock compares this instance's clock with the others'. It is wrong if more than half of all are ahead of it by more than clocks
// may differ, or behind: so there is always one that is right, at least the one in the middle.
func (e *Engine) judgeClock() {
	mine := e.clocks.against(e.cfg.Now())
	known, ahead, behind, lag := 1, 0, 0, e.clocks.lag()
	if lag == unknownLag && e.clocks.outlier {
		return // the next beat will show
	}
	var furthest time.Duration
	for _, p := range e.replica.peers {
		if e.isMe(p.id) || len(p.sighting.offsets) == 0 {
			continue
		}
		known++
		d := slices.Max(p.sighting.offsets) - mine
		if d > failover.MaxSkew {
			ahead++
		}
		if d < -failover.MaxSkew-lag {
			behind++
		}
		if d.Abs() > furthest.Abs() {
			furthest = d
		}
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

// evictSilent declares instances dead that have been silent for too long; the oldest of the others does so first.
func (e *Engine) evictSilent() {
	if e.me == nil {
		return
	}
	rank := uint64(0)
	for _, p := range e.replica.peers {
		if e.isMe(p.id) {
			break
		}
		if e.silent(p) < silentBeats {
			rank++
		}
	}
	for _, p := range e.replica.peers {
		if e.silent(p) >= silentBeats+rank && !e.isMe(p.id) {
			e.evict(p)
		}
	}
}

// silent is how many beats this instance has made since it saw the last of another.
func (e *Engine) silent(p *peer) uint64 { return e.clocks.written - p.sighting.written }

// evict deletes an instance's key, which makes it dead for everybody, itself included.
func (e *Engine) evict(p *peer) {
	entry := e.replica.entries[layout.Instances][p.id]
	guards := []store.Cond{store.Exists(layout.InstanceKey(e.me.id))}
	e.send(&e.docs, &move{guards: guards, at: entry.Version, op: store.Delete(entry.Key), done: func(_ store.Version, err error) {
		if err == nil {
			e.emit(observe.Event{
				Kind:    observe.Evicted,
				Shard:   -1,
				Subject: p.id,
				Code:    "instance_silent",
				Args:    map[string]string{"instance": p.id},
				Detail:  "it gave no sign of life for several minutes, though the store works",
			})
		}
	}})
}
