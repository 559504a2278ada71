package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// line is an event with its time.
type line struct {
	at       time.Time
	instance string
	job      string
	shard    int
	text     string
}

// report writes the events since the last report, and the state. Events of two
// instances at one instant have no order, so it sorts them.
func (w *world) report(brief bool) string {
	lines := append(w.newRuns(), w.newEvents()...)
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(
			a.at.Truncate(time.Second).Compare(b.at.Truncate(time.Second)),
			strings.Compare(a.job, b.job),
			cmp.Compare(a.shard, b.shard),
			a.at.Compare(b.at),
			strings.Compare(a.instance, b.instance),
		)
	})
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s  %s\n", clock(l.at), l.text)
	}
	if !brief {
		b.WriteString(w.standing())
	}
	if b.Len() == 0 {
		return "ok\n"
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// newRuns writes runs that have begun or ended.
func (w *world) newRuns() []line {
	var lines []line
	for n, r := range w.AllRuns() {
		run := r.Run
		what := fmt.Sprintf("%s/%d", run.Job, run.Shard)
		add := func(at time.Time, format string, args ...any) {
			lines = append(lines, line{at, r.Instance, run.Job, run.Shard, fmt.Sprintf(format, args...)})
		}
		if n >= w.begun {
			verb := "begins"
			if run.Attempt > 1 {
				verb = fmt.Sprintf("repeats, attempt %d,", run.Attempt)
			}
			add(
				r.Began,
				"%s %s %s of %s, fence %d, %d shards",
				r.Instance,
				verb,
				what,
				w.occasion(run.Job, run.Trigger, run.Fire),
				w.fence(run.Job, run.Shard, run.Fence()),
				run.Shards,
			)
		}
		if !r.Ended.IsZero() && !w.ending[n] {
			w.ending[n] = true
			add(r.Ended, "%s %s %s of %s", r.Instance, ended(r), what, w.occasion(run.Job, run.Trigger, run.Fire))
		}
		w.begun = max(w.begun, n+1)
	}
	return lines
}

// occasion returns the trigger or the scheduled time of a run.
func (w *world) occasion(job string, trigger uint64, fire time.Time) string {
	if trigger != 0 {
		return fmt.Sprintf("trigger %d", w.trigger(job, trigger))
	}
	return clock(fire)
}

// ended describes the end of a run.
func ended(r elastictest.Run) string {
	switch {
	case r.Crashed:
		return "dies in"
	case r.Err == nil:
		return "ends"
	}
	for err, why := range map[error]string{
		elastic.ErrSessionLost: "its session is lost",
		elastic.ErrShutdown:    "it leaves",
		elastic.ErrReplaced:    "a later fire replaces it",
		elastic.ErrTimeout:     "it took too long",
	} {
		if errors.Is(r.Cause, err) {
			return "stops (" + why + ")"
		}
	}
	return "fails (" + r.Err.Error() + ")"
}

// told are the kinds of events that a scenario shows beside runs.
var told = map[observe.Kind]string{
	observe.SessionLost: "loses its session",
	observe.Left:        "has left",
	observe.HandedOver:  "hands over",
	observe.Abandoned:   "gives up",
	observe.Missed:      "misses",
	observe.Stuck:       "reports stuck",
	observe.Panicked:    "reports a panic in",
	observe.Unreadable:  "can't read",
	observe.FutureFire:  "reports a fire of the future in",
	observe.Refused:     "refuses",
	observe.ClockOff:    "reports that its clock is off",
	observe.ClockAgrees: "reports that its clock agrees",
	observe.Evicted:     "evicts another",
	observe.Differs:     "sees another job in the store than its own,",
}

// newEvents writes events of instances.
func (w *world) newEvents() []line {
	events := w.Events()
	var lines []line
	for _, e := range events[w.told:] {
		words, ok := told[e.Kind]
		if !ok {
			continue
		}
		text := cmp.Or(w.NameOf(e.Instance), e.Instance) + " " + words
		if e.Job != "" && e.Kind != observe.Unreadable {
			text += " " + e.Job
			if e.Shard >= 0 {
				text += fmt.Sprintf("/%d", e.Shard)
			}
		}
		if e.Kind == observe.Unreadable {
			text += " " + e.Subject
		}
		if !e.Fire.IsZero() {
			text += " of " + clock(e.Fire)
		}
		if e.Kind == observe.Abandoned {
			text += ": " + e.Detail
		}
		lines = append(lines, line{e.Time, e.Instance, e.Job, max(e.Shard, 0), text})
	}
	w.told = len(events)
	return lines
}

// standing writes the live instances, the owners and the records.
func (w *world) standing() string {
	var b strings.Builder
	var ids, runs []string
	for _, e := range w.Server().Dump() {
		prefix, rest, _ := strings.Cut(e.Key, "/")
		switch prefix {
		case layout.Instances:
			ids = append(ids, rest)
		case "runs":
			runs = append(runs, w.recordLine(rest, e.Value))
		}
	}
	fmt.Fprintf(&b, "alive: %s\n", orNone(ids))
	for _, job := range w.jobs {
		if owners := w.owners(job); owners != "" {
			fmt.Fprintf(&b, "%s: %s\n", job, owners)
		}
	}
	for _, r := range runs {
		b.WriteString(r + "\n")
	}
	return b.String()
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// owners returns the shard map of a job.
func (w *world) owners(job string) string {
	for _, e := range w.Server().Dump() {
		if e.Key != layout.AssignmentKey(job) {
			continue
		}
		a, err := layout.DecodeAssignment(e.Value)
		if err != nil {
			return "unreadable"
		}
		return strings.Join(a.Owners, " ")
	}
	return ""
}

func (w *world) recordLine(key string, value []byte) string {
	r, err := failover.Decode(value)
	if err != nil {
		return key + ": unreadable"
	}
	job, _, _ := strings.Cut(key, "/")
	_, shard, _ := layout.RunOf("runs/" + key)
	s := fmt.Sprintf("%s: %s", key, r.State)
	switch {
	case r.State == failover.StateIdle:
		s += " " + string(r.Result)
	case r.Owner == "":
		s += " handed over"
	default:
		s += " on " + r.Owner
	}
	fire := "fire " + clock(r.Fire)
	if r.IsManual() {
		fire = w.occasion(job, r.Trigger, r.Fire)
	}
	return s + fmt.Sprintf(", %s, attempt %d, fence %d", fire, r.Attempt, w.fence(job, shard, r.Fence))
}
