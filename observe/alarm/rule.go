package alarm

import (
	"slices"

	"github.com/elasticjob-go/elastic/observe"
)

// Rule says which events are alarms.
type Rule func(observe.Event) bool

// Default is the rule of a Config that has none: the events that need a person
// by [observe.Event.Alarm], which are also those that the log shows at level
// Warn. Among them are runs that failed, fires that were missed, runs that were
// given up, jobs that wait, stuck handlers, and a store in trouble.
func Default(e observe.Event) bool { return e.Alarm() }

// Failed is the rule for runs that ended with an error.
func Failed(e observe.Event) bool { return e.Kind == observe.Ended && e.Result == "failed" }

// Kinds returns the rule for events of these kinds.
func Kinds(kinds ...observe.Kind) Rule {
	return func(e observe.Event) bool { return slices.Contains(kinds, e.Kind) }
}

// Jobs narrows a rule down to events of these jobs.
func (r Rule) Jobs(names ...string) Rule {
	return func(e observe.Event) bool { return slices.Contains(names, e.Job) && r(e) }
}
