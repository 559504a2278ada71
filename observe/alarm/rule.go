package alarm

import (
	"slices"

	"github.com/elasticjob-go/elastic/observe"
)

// Rule says which events are alarms.
type Rule func(observe.Event) bool

// Default is the rule that is used where a Config has none: runs that failed, fires that were missed, and every kind of event that
// needs a person, such as a run that was given up, a stuck handler, a lost session or a store in trouble (see [observe.Kind.Alarm]).
func Default(e observe.Event) bool {
	return Failed(e) || e.Kind == observe.Missed || e.Kind.Alarm()
}

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
