package alarm

import (
	"slices"

	"github.com/elasticjob-go/elastic/observe"
)

// Rule reports whether an event is an alarm.
type Rule func(observe.Event) bool

// Default is the rule of a Config without rules. It reports
// [observe.Event.Alarm]: events that need a person, which the log shows at
// level Warn. Among them are failed and abandoned runs, missed fires, jobs that
// wait, stuck handlers, and a store in trouble.
func Default(e observe.Event) bool { return e.Alarm() }

// Failed is the rule for runs that failed.
func Failed(e observe.Event) bool { return e.Kind == observe.Ended && e.Result == "failed" }

// Kinds returns the rule for events of these kinds.
func Kinds(kinds ...observe.Kind) Rule {
	return func(e observe.Event) bool { return slices.Contains(kinds, e.Kind) }
}

// Jobs returns a rule for the events of r that belong to these jobs.
func (r Rule) Jobs(names ...string) Rule {
	return func(e observe.Event) bool { return slices.Contains(names, e.Job) && r(e) }
}
