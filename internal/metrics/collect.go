package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// Sample is one value of a metric.
type Sample struct {
	ID     ID
	Labels []string // values, in the order of the metric's labels
	Value  float64
	Counts *Counts // of a histogram
}

// Collect returns all values at this moment. It asks the scheduler for its
// state before it locks the Set, and holds no lock when it returns.
func (s *Set) Collect() []Sample {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	s.mu.Lock()
	ask := s.stats
	s.mu.Unlock()
	var stats observe.Stats
	if ask != nil {
		stats = ask()
	}
	s.see(stats)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := collector{samples: make([]Sample, 0, 64+9*len(s.labels))}
	for _, label := range slices.Sorted(maps.Keys(s.labels)) {
		s.collectJob(&c, s.labels[label])
	}
	if s.other.members > 0 || s.other.duration.Total() > 0 {
		s.collectJob(&c, s.other)
	}
	s.collectStore(&c)
	s.collectCounts(&c)
	s.collectStats(&c, &stats)
	return c.samples
}

type collector struct{ samples []Sample }

func (c *collector) value(id ID, v float64, labels ...string) {
	c.samples = append(c.samples, Sample{ID: id, Value: v, Labels: labels})
}

// histogram adds a histogram, unless it is empty.
func (c *collector) histogram(id ID, h *Counts, labels ...string) {
	if h.Total() == 0 {
		return
	}
	c.samples = append(c.samples, Sample{ID: id, Counts: h.clone(), Labels: labels})
}

// see takes the state of the scheduler: which jobs there are, and which have
// been gone for long.
func (s *Set) see(stats observe.Stats) {
	s.mu.Lock()
	for _, j := range s.labels {
		j.owned, j.running = 0, 0
	}
	s.other.owned, s.other.running = 0, 0
	if !stats.At.IsZero() {
		s.forget(stats)
	}
	s.mu.Unlock()
	for _, job := range stats.Jobs {
		j := s.lockJob(job.Name, stats.At)
		j.owned += job.Owned
		j.running += job.Running
		s.mu.Unlock()
	}
}

// forget takes the series of jobs away that the instance has not had for long.
func (s *Set) forget(stats observe.Stats) {
	for _, job := range stats.Jobs {
		if m := s.jobs[job.Name]; m != nil && stats.At.After(m.seen) {
			m.seen = stats.At
		}
	}
	gone := false
	for name, m := range s.jobs {
		if stats.At.Sub(m.seen) > forgetAfter {
			s.leave(name, m)
			gone = true
		}
	}
	if !gone {
		return
	}
	for name, m := range s.jobs {
		if m.folded {
			s.leave(name, m) // it may get a place when it is heard of again
		}
	}
}

func (s *Set) collectJob(c *collector, j *series) {
	for k := counter(0); k < counters; k++ {
		if j.counts[k] == 0 && !k.always() {
			continue
		}
		if label := shown[k].label; label != "" {
			c.value(shown[k].id, float64(j.counts[k]), j.label, label)
			continue
		}
		c.value(shown[k].id, float64(j.counts[k]), j.label)
	}
	c.value(ShardsOwned, float64(j.owned), j.label)
	c.value(JobRunning, float64(j.running), j.label)
	if s.opts.Record == nil && j.hist == j.label {
		c.histogram(RunDuration, j.duration, j.label)
		c.histogram(RunLateness, j.lateness, j.label)
	}
	if j == s.other {
		return // the last of many jobs says nothing about any of them
	}
	if !j.success.IsZero() {
		c.value(LastSuccess, seconds(j.success), j.label)
	}
	if !j.end.IsZero() {
		c.value(LastEnd, seconds(j.end), j.label)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (s *Set) collectStore(c *collector) {
	for kind, k := range s.requests {
		for outcome, n := range k.outcomes {
			c.value(StoreRequests, float64(n), kind.driver, string(kind.op), string(outcome))
		}
		if s.opts.Record == nil {
			c.histogram(StoreDuration, k.duration, kind.driver, string(kind.op))
		}
	}
	c.value(StoreUntold, float64(s.untold))
}

func (s *Set) collectCounts(c *collector) {
	c.value(SessionsLost, float64(s.sessionsLost))
	c.value(Evictions, float64(s.evictions))
	c.value(AssignmentsWritten, float64(s.assignments))
	c.value(JobsFolded, float64(s.folded))
}

// collectStats adds what the state of the scheduler shows. Before its first
// state there is nothing but that it is not up.
func (s *Set) collectStats(c *collector, stats *observe.Stats) {
	up := 0.0
	if stats.Health.Held {
		up = 1
		c.value(SessionDeadline, max(time.Until(stats.Health.Deadline), 0).Seconds())
	}
	c.value(Up, up)
	c.value(EventsDropped, float64(stats.EventsDropped))
	c.value(BuildInfo, 1, version(), goVersion, stats.Driver)
	if stats.History != nil {
		collectHistory(c, stats.History)
	}
	if stats.At.IsZero() {
		return
	}
	c.value(RunningLimit, float64(stats.Limit))
	c.value(Held, float64(stats.Held))
	c.value(Stuck, float64(stats.Stuck))
	if stats.ClockKnown {
		c.value(ClockOffset, stats.ClockOffset.Seconds())
	}
	c.value(Instances, float64(stats.Instances.Up), "up")
	c.value(Instances, float64(stats.Instances.Draining), "draining")
	c.value(Instances, float64(stats.Instances.ClockOff), "clockOff")
	c.value(Instances, float64(stats.Instances.Unreadable), "unreadable")
	for _, p := range stats.Prefixes {
		c.value(UnreadableKeys, float64(p.Unreadable), p.Name)
		if p.Watched {
			c.value(WatchAge, p.Age.Seconds(), p.Name)
		}
	}
	if h := loopDelay(stats.LoopDelay); h != nil {
		c.histogram(LoopDelay, h)
	}
}

// loopDelay returns the waits for the loop. It is nil if the state has none.
func loopDelay(d observe.Distribution) *Counts {
	h := newCounts(LoopDelay)
	if len(d.Counts) != len(h.Buckets) {
		return nil
	}
	copy(h.Buckets, d.Counts)
	h.Sums = make([]float64, len(h.Buckets))
	for i, sum := range d.Sums[:min(len(d.Sums), len(h.Sums))] {
		h.Sums[i] = sum.Seconds()
		h.Sum += sum.Seconds()
	}
	return h
}

// maxClasses bounds the classes of rows of the history.
const maxClasses = 16

func collectHistory(c *collector, h *observe.HistoryStats) {
	for id, rows := range map[ID]map[string]uint64{HistoryWritten: h.Written, HistoryDropped: h.Dropped} {
		for i, class := range slices.Sorted(maps.Keys(rows)) {
			if i < maxClasses {
				c.value(id, float64(rows[class]), class)
			}
		}
	}
	c.value(HistoryErrors, float64(h.Errors))
	c.value(HistoryBuffer, float64(h.BufferRows))
	c.value(HistorySpool, float64(h.SpoolBytes))
	c.value(HistoryLag, h.Lag.Seconds())
}
