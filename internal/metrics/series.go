package metrics

import "time"

// The bounds of the number of series. 500 jobs have at most 7 series that are
// always there, and 100 of them 34 for two histograms; together with extras and
// what is not about a job, a process has less than 9,000.
const (
	maxJobs       = 500
	maxHistograms = 100
	maxExtras     = 1400 // counters of jobs that are rarely other than 0

	// Other is the label of the jobs that have none of their own.
	Other = "_other"

	// forgetAfter is how long a job that the instance no longer has keeps its
	// series.
	forgetAfter = time.Hour
)

// counter is a counter that each job has. Its value is in series.counts.
type counter uint8

const (
	countOK counter = iota
	countFailed
	countLost
	countSkipped
	countCancelled
	countReplaced
	countHandedOver
	countTooLate
	countSuperseded
	countOverlap
	countJobChanged
	countClock
	countTakeovers
	countHandovers
	countReclaims
	countRetries
	countPanics
	countCancels
	counters
)

// always reports whether the counter is shown while it is 0. Alerts look for an
// increase, which the first value of a new series is not.
func (c counter) always() bool { return c <= countLost }

// shown is how a counter is exported.
var shown = [counters]struct {
	id    ID
	label string // the second one; empty: none
}{
	countOK:         {Runs, "ok"},
	countFailed:     {Runs, "failed"},
	countLost:       {Runs, "lost"},
	countSkipped:    {Runs, "skipped"},
	countCancelled:  {Runs, "cancelled"},
	countReplaced:   {Runs, "replaced"},
	countHandedOver: {Runs, "handed over"},
	countTooLate:    {FiresMissed, "too_late"},
	countSuperseded: {FiresMissed, "superseded"},
	countOverlap:    {FiresMissed, "overlap"},
	countJobChanged: {FiresMissed, "job_changed"},
	countClock:      {FiresMissed, "clock"},
	countTakeovers:  {id: Takeovers},
	countHandovers:  {id: Handovers},
	countReclaims:   {id: Reclaims},
	countRetries:    {id: Retries},
	countPanics:     {id: Panics},
	countCancels:    {id: Cancels},
}

// series are the values of one label of jobs.
type series struct {
	label    string
	members  int // jobs that have it
	counts   [counters]uint64
	success  time.Time // of the last run that succeeded
	end      time.Time
	duration *Counts // those of Other where there are too many histograms
	lateness *Counts
	hist     string // the label of these

	owned, running int // of the last Stats
}

// extras returns how many series of the label are there only because they are
// not 0.
func (s *series) extras() int {
	n := 0
	for c := countLost + 1; c < counters; c++ {
		if s.counts[c] != 0 {
			n++
		}
	}
	return n
}

// member is a job of the instance.
type member struct {
	series *series
	seen   time.Time // it was last heard of
	folded bool      // it shares Other because there are too many
}
