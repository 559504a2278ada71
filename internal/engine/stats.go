package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// delayBounds are the upper bounds of the buckets in which waits for the loop
// are counted.
var delayBounds = []time.Duration{
	100 * time.Microsecond,
	time.Millisecond,
	5 * time.Millisecond,
	25 * time.Millisecond,
	100 * time.Millisecond,
	500 * time.Millisecond,
	2500 * time.Millisecond,
	10 * time.Second,
}

// statsAfter is how long Stats waits for the loop. It is shorter than the
// timeout of any scraper.
const statsAfter = time.Second

// view is what this instance knows of one of its watches.
type view struct {
	asOf  time.Time // the store surely had this state, or a later one, then
	stale bool      // the watch has lost contact, or is being started again
}

// meter is what the loop counts about itself, and what others may read of it
// while it works.
type meter struct {
	stuck  int    // handlers that were reported as stuck and have not returned
	looks  uint64 // jobs that were compared with the replica, or planned
	counts [9]uint64
	sums   [9]time.Duration
	views  map[string]view // by prefix

	turned atomic.Int64 // when the loop turned last, in nanoseconds since clocks.begun; 0: never
	health atomic.Pointer[vitals]

	asking sync.Mutex // one Stats at a time
	last   observe.Stats
}

// vitals is what a probe reads. A new one is published when it differs.
type vitals struct {
	me       *member
	joined   bool
	draining bool
	clockOff bool
	stale    string // prefixes, separated by spaces
}

// turn notes that the loop turns.
func (m *meter) turn(c *clocks) { m.turned.Store(int64(max(c.elapsed(), 1))) }

// delayed counts how long what was posted has waited for the loop.
func (m *meter) delayed(d time.Duration) {
	i, _ := slices.BinarySearch(delayBounds, d)
	m.counts[i]++
	m.sums[i] += d
}

// saw notes the state of a watch.
func (m *meter) saw(prefix string, asOf time.Time, stale bool) {
	v := m.views[prefix]
	if asOf.After(v.asOf) {
		v.asOf = asOf
	}
	v.stale = stale
	m.views[prefix] = v
}

// confirmed notes that a list shows what the watch has shown.
func (m *meter) confirmed(prefix string, asOf time.Time) {
	m.saw(prefix, asOf, m.views[prefix].stale)
}

// publish makes what probes read that of now. The loop calls it at the end of
// each turn.
func (e *Engine) publish() {
	e.meter.turn(&e.clocks)
	v := vitals{me: e.me, joined: e.isReady, draining: e.drain.on, clockOff: e.clocks.outlier}
	var stale []string
	for _, prefix := range watched {
		if !e.synced(prefix) {
			stale = append(stale, prefix)
		}
	}
	v.stale = strings.Join(stale, " ")
	if old := e.meter.health.Load(); old == nil || *old != v {
		e.meter.health.Store(&v)
	}
}

// synced reports whether a watch of the replica has contact with the store.
func (e *Engine) synced(prefix string) bool {
	return e.replica.synced[prefix] && !e.meter.views[prefix].stale
}

// Health returns what a probe needs to know. It does not wait for the loop, and
// may be called at any time from any goroutine.
func (e *Engine) Health() observe.Health {
	v, turned := e.meter.health.Load(), e.meter.turned.Load()
	if v == nil || turned == 0 {
		return observe.Health{}
	}
	h := observe.Health{
		Started:  v.joined,
		Idle:     e.clocks.elapsed() - time.Duration(turned),
		Stale:    slices.Sorted(strings.FieldsSeq(v.stale)),
		Draining: v.draining,
		ClockOff: v.clockOff,
	}
	select {
	case <-e.stopped:
		h.Ended, h.Idle = true, 0
		return h
	default:
	}
	if v.me != nil {
		h.Instance = v.me.id
		h.Deadline = v.me.session.Deadline()
		h.Held = v.me.alive()
	}
	return h
}

// Stats returns the state of the engine. It waits a second for the loop at the
// most, and then returns the state that it returned last. It may be called at
// any time from any goroutine.
func (e *Engine) Stats() observe.Stats {
	e.meter.asking.Lock()
	defer e.meter.asking.Unlock()
	if e.meter.turned.Load() != 0 {
		e.askStats()
	}
	s := e.meter.last
	s.Health = e.Health()
	return s
}

// askStats has the loop take the state. e.meter.asking is held.
func (e *Engine) askStats() {
	ctx, cancel := context.WithTimeout(context.Background(), statsAfter)
	defer cancel()
	answer := make(chan observe.Stats, 1)
	select {
	case e.inbox <- posted{time.Now(), func() { answer <- e.stats() }}:
	case <-e.stopped:
		return
	case <-ctx.Done():
		return
	}
	select {
	case e.meter.last = <-answer:
	case <-e.stopped:
	case <-ctx.Done():
	}
}

// stats takes the state. Only the loop calls it.
func (e *Engine) stats() observe.Stats {
	s := observe.Stats{
		At:      e.cfg.Now(),
		Driver:  e.cfg.Store.Caps().Driver,
		Running: e.active,
		Limit:   e.cfg.Most,
		Stuck:   e.meter.stuck,
		LoopDelay: observe.Distribution{
			Bounds: delayBounds,
			Counts: slices.Clone(e.meter.counts[:]),
			Sums:   slices.Clone(e.meter.sums[:]),
		},
	}
	s.ClockOffset, s.ClockKnown = e.clockOffset()
	unreadable := map[string]int{}
	for _, p := range e.replica.peers {
		switch {
		case !p.readable:
			s.Instances.Unreadable++
			unreadable[layout.Instances]++
		case p.State == layout.Draining:
			s.Instances.Draining++
		case p.State == layout.ClockOff:
			s.Instances.ClockOff++
		default:
			s.Instances.Up++
		}
	}
	s.Jobs = make([]observe.JobStats, 0, len(e.jobs))
	for _, j := range e.jobs {
		s.Held += j.limited
		s.Jobs = append(s.Jobs, j.stats(unreadable))
	}
	slices.SortFunc(s.Jobs, func(a, b observe.JobStats) int { return cmp.Compare(a.Name, b.Name) })
	for _, prefix := range prefixes {
		p := observe.PrefixStats{Name: prefix, Unreadable: unreadable[prefix]}
		if v, ok := e.meter.views[prefix]; ok {
			p.Watched, p.Synced = true, e.synced(prefix)
			p.Age = max(time.Since(v.asOf), 0)
		}
		s.Prefixes = append(s.Prefixes, p)
	}
	return s
}

// prefixes are those of the keys that an instance reads, sorted.
var prefixes = slices.Sorted(slices.Values(append([]string{records}, watched...)))

// records is the prefix of the records of all shards. No watch is on it.
const records = "runs"

// stats returns the instance's part in the job, and counts the job's keys that
// can't be read.
func (j *job) stats(unreadable map[string]int) observe.JobStats {
	s := observe.JobStats{Name: j.name, Running: j.active}
	for _, sh := range j.shards {
		if sh.owned && !sh.surplus {
			s.Owned++
		}
		if sh.broken {
			unreadable[records]++
		}
	}
	if j.spec == nil && j.specVersion != 0 {
		unreadable[layout.Jobs]++
	}
	if j.assigned == nil && j.assignedVersion != 0 {
		unreadable[layout.Assignments]++
	}
	if j.signalsBroken {
		unreadable[layout.Signals]++
	}
	return s
}

// clockOffset returns by how much this clock is ahead of the median of the
// others' clocks, as far as the watch has shown them.
func (e *Engine) clockOffset() (ahead time.Duration, known bool) {
	var others []time.Duration
	for id, s := range e.clocks.seenOf {
		if !e.isMe(id) && len(s.offsets) > 0 && e.replica.alive(id) {
			others = append(others, slices.Max(s.offsets))
		}
	}
	if len(others) == 0 {
		return 0, false
	}
	slices.Sort(others)
	return e.clocks.against(e.cfg.Now()) - others[len(others)/2], true
}
