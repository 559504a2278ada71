package metrics

import (
	"cmp"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Options configure a Set. The zero value is useful.
type Options struct {
	// Job returns the label of a job. Nil means the name of the job. If it
	// panics or blocks, the job has the label Other.
	Job func(name string) string

	// Record, if it is not nil, is called with each value of a histogram, and
	// Collect leaves histograms out, except LoopDelay.
	Record func(id ID, labels [2]string, v float64)
}

// Set has the metrics of one scheduler. All methods are safe for concurrent
// use.
type Set struct {
	opts  Options
	stats func() observe.Stats
	mute  atomic.Bool // Options.Job has blocked

	collecting sync.Mutex // one Collect at a time

	mu         sync.Mutex
	attached   bool
	jobs       map[string]*member // by name
	labels     map[string]*series // all but other
	other      *series
	histograms int // labels that have histograms of their own
	extras     int
	folded     int

	sessionsLost, evictions, assignments uint64

	requests map[request]*requests
	untold   uint64
}

// request is the kind of a request to the store.
type request struct {
	driver string
	op     store.RequestOp
}

// requests counts those of one kind.
type requests struct {
	outcomes map[store.Outcome]uint64
	duration *Counts
}

// New returns an empty Set.
func New(o Options) *Set {
	s := &Set{
		opts:     o,
		jobs:     map[string]*member{},
		labels:   map[string]*series{},
		requests: map[request]*requests{},
	}
	s.other = &series{label: Other, hist: Other, duration: newCounts(RunDuration), lateness: newCounts(RunLateness)}
	return s
}

// Attach sets the function that returns the state of the scheduler.
func (s *Set) Attach(stats func() observe.Stats) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached {
		return errors.New("the exporter is already that of another scheduler; make one for each")
	}
	s.stats, s.attached = stats, true
	return nil
}

// Observe counts an event. If the event's job is known it allocates nothing.
func (s *Set) Observe(e observe.Event) {
	if aboutJob(e.Kind) {
		v := s.observeJob(&e)
		if v.label != "" && s.opts.Record != nil {
			s.opts.Record(v.id, [2]string{v.label}, v.took.Seconds())
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case observe.SessionLost:
		s.sessionsLost++
	case observe.Evicted:
		s.evictions++
	case observe.Assigned:
		s.assignments++
	}
}

// aboutJob reports whether events of a kind are counted by job.
func aboutJob(k observe.Kind) bool {
	switch k {
	case observe.Began, observe.TookOver, observe.Ended, observe.Abandoned, observe.HandedOver, observe.Reclaimed,
		observe.Retrying, observe.Panicked, observe.Missed:
		return true
	}
	return false
}

// value is one value of a histogram of jobs. The zero value is none.
type value struct {
	id    ID
	label string
	took  time.Duration
}

// observeJob counts an event about a job, and returns what it adds to a
// histogram.
func (s *Set) observeJob(e *observe.Event) (v value) {
	j := s.lockJob(e.Job, e.Time)
	defer s.mu.Unlock()
	switch e.Kind {
	case observe.Began:
		if !e.Due.IsZero() {
			v = value{RunLateness, j.hist, e.Late}
			s.measure(j.lateness, e.Late)
		}
	case observe.TookOver:
		if e.Code != "handed_over" {
			s.add(j, countTakeovers, 1)
		}
	case observe.Ended:
		v = value{RunDuration, j.hist, e.Took}
		s.measure(j.duration, e.Took)
		s.ended(j, e)
	case observe.Abandoned:
		s.add(j, countLost, 1)
	case observe.HandedOver:
		s.add(j, countHandovers, 1)
		s.add(j, countHandedOver, 1)
	case observe.Reclaimed:
		s.add(j, countReclaims, 1)
	case observe.Retrying:
		s.add(j, countRetries, 1)
	case observe.Panicked:
		s.add(j, countPanics, 1)
	case observe.Missed:
		if c, ok := missedBy(e.Code); ok {
			s.add(j, c, uint64(max(e.Count, 1)))
		}
	}
	return v
}

func missedBy(code string) (counter, bool) {
	switch code {
	case "missed_too_late":
		return countTooLate, true
	case "missed_superseded":
		return countSuperseded, true
	case "missed_overlap":
		return countOverlap, true
	case "missed_job_changed":
		return countJobChanged, true
	case "missed_clock":
		return countClock, true
	}
	return 0, false
}

func (s *Set) ended(j *series, e *observe.Event) {
	j.end = e.Time
	switch e.Result {
	case "ok":
		j.success = e.Time
		s.add(j, countOK, 1)
	case "failed":
		s.add(j, countFailed, 1)
	case "skipped":
		s.add(j, countSkipped, 1)
	case "lost":
		s.add(j, countLost, 1)
	case "replaced":
		s.add(j, countReplaced, 1)
	case "cancelled":
		s.add(j, countCancelled, 1)
		s.add(j, countCancels, 1)
	}
}

// measure adds a value to a histogram, unless values are recorded elsewhere.
func (s *Set) measure(h *Counts, d time.Duration) {
	if s.opts.Record == nil {
		h.add(d.Seconds())
	}
}

// add adds to a counter, or to that of Other if there are too many.
func (s *Set) add(j *series, c counter, n uint64) {
	if j.counts[c] == 0 && j != s.other && !c.always() {
		if s.extras == maxExtras {
			j = s.other
		} else {
			s.extras++
		}
	}
	j.counts[c] += n
}

// lockJob locks the Set and returns the series of a job, which was heard of at
// a time. The function of the program that gives a label is called without the
// lock.
func (s *Set) lockJob(name string, at time.Time) *series {
	s.mu.Lock()
	m := s.jobs[name]
	if m == nil && s.opts.Job != nil {
		s.mu.Unlock()
		label := s.label(name)
		s.mu.Lock()
		m = s.enter(name, label)
	} else if m == nil {
		m = s.enter(name, cmp.Or(name, Other))
	}
	if at.After(m.seen) {
		m.seen = at
	}
	return m.series
}

// enter gives a job its series, if it has none.
func (s *Set) enter(name, label string) *member {
	if m := s.jobs[name]; m != nil {
		return m
	}
	m := &member{series: s.labels[label]}
	s.jobs[name] = m
	switch {
	case label == Other:
		m.series = s.other
	case m.series != nil:
	case len(s.labels) == maxJobs:
		m.series, m.folded = s.other, true
		s.folded++
	default:
		m.series = s.open(label)
	}
	m.series.members++
	return m
}

// open makes the series of a label.
func (s *Set) open(label string) *series {
	j := &series{label: label, hist: Other, duration: s.other.duration, lateness: s.other.lateness}
	if s.histograms < maxHistograms {
		s.histograms++
		j.hist = label
		j.duration = newCounts(RunDuration)
		j.lateness = newCounts(RunLateness)
	}
	s.labels[label] = j
	return j
}

// label asks the program for the label of a job. If a call does not return, it
// is not asked again.
func (s *Set) label(name string) string {
	if s.mute.Load() {
		return Other
	}
	label, err := guard.Call(labelPatience, func() string { return s.opts.Job(name) })
	if blocked := (*guard.Blocked)(nil); errors.As(err, &blocked) {
		s.mute.Store(true)
	}
	if err != nil {
		return Other
	}
	return guard.Cut(cmp.Or(label, Other), maxLabel)
}

const (
	// labelPatience bounds a call of Options.Job. It is short, as events wait.
	labelPatience = 100 * time.Millisecond

	// maxLabel is the greatest size of a label in bytes: that of a job's name.
	maxLabel = 100
)

// leave takes a job's series away. If it was the last job of its label, the
// label has none any more.
func (s *Set) leave(name string, m *member) {
	delete(s.jobs, name)
	j := m.series
	j.members--
	if m.folded {
		s.folded--
	}
	if j.members > 0 || j == s.other {
		return
	}
	delete(s.labels, j.label)
	s.extras -= j.extras()
	if j.hist != Other && s.opts.Record == nil {
		s.histograms-- // what was recorded elsewhere stays there
	}
}

// ObserveStore counts a request to the store.
func (s *Set) ObserveStore(r store.Request) {
	if !s.countRequest(r) || s.opts.Record == nil {
		return
	}
	s.opts.Record(StoreDuration, [2]string{r.Driver, string(r.Op)}, r.Duration.Seconds())
}

func (s *Set) countRequest(r store.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold += uint64(max(r.Missed, 0))
	kind := request{r.Driver, r.Op}
	k := s.requests[kind]
	if k == nil {
		if len(s.requests) == maxRequests {
			s.untold++
			return false
		}
		k = &requests{outcomes: map[store.Outcome]uint64{}, duration: newCounts(StoreDuration)}
		s.requests[kind] = k
	}
	if _, ok := k.outcomes[r.Outcome]; !ok && len(k.outcomes) == maxOutcomes-1 {
		r.Outcome = store.OutcomeOther
	}
	k.outcomes[r.Outcome]++
	s.measure(k.duration, r.Duration)
	return true
}

// The bounds of the series about the store: one driver and its operations, with
// room for those to come.
const (
	maxRequests = 12
	maxOutcomes = 16
)

// version returns the version of this module in the program.
var version = sync.OnceValue(func() string {
	const path = "github.com/elasticjob-go/elastic"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == path {
		return cmp.Or(info.Main.Version, "unknown")
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path })
	if i < 0 {
		return "unknown"
	}
	return cmp.Or(info.Deps[i].Version, "unknown")
})

var goVersion = runtime.Version()
