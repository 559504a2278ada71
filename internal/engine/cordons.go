package engine

import (
	"maps"
	"slices"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// cordons are the wishes of operators about instances and the namespace, as the
// replica shows them. They place and hold work, and guard nothing: the exact
// stop of a job is to disable it.
type cordons struct {
	paused bool
	all    map[string]layout.Cordon // by the name in the key
}

// holds reports whether an instance is to own no shards.
func (c *cordons) holds(p *peer) bool {
	for name, cordon := range c.all {
		keeps := cordon.Action == layout.ActionCordon || cordon.Action == layout.ActionDrain ||
			cordon.Action == layout.ActionLeave
		if keeps && cordon.Meets(name, p.id, p.Instance) {
			return true
		}
	}
	return false
}

// cordonsChanged takes what operators wish.
func (e *Engine) cordonsChanged(changed []string) {
	if e.cordons.all == nil {
		e.cordons.all = map[string]layout.Cordon{}
	}
	for _, name := range changed {
		delete(e.cordons.all, name)
		entry, there := e.replica.entries[layout.Cordons][name]
		if !there {
			continue
		}
		c, err := layout.DecodeCordon(name, entry.Value)
		if err != nil {
			e.emit(observe.Event{
				Kind:    observe.Unreadable,
				Shard:   wholeJob,
				Subject: entry.Key,
				Code:    unreadableCode(entry.Key),
				Args:    map[string]string{"key": entry.Key},
				Detail:  "the wish is ignored; repair it, or give it again",
				Err:     err,
			})
			continue
		}
		e.cordons.all[name] = c
	}
	e.cordons.paused = e.cordons.all[layout.Namespace].Action == layout.ActionPause
	for _, name := range slices.Sorted(maps.Keys(e.jobs)) {
		e.suspect(e.jobs[name]) // others may own its shards now
	}
	e.reviewAll()
	e.leaveIfAsked()
}

// leaveIfAsked makes this instance leave as on SIGTERM if an operator wishes
// that. The wish names the ID: the next instance of that name is not meant.
func (e *Engine) leaveIfAsked() {
	if e.me == nil || e.drain.on {
		return
	}
	if e.cordons.all[e.me.id].Action == layout.ActionLeave {
		e.startDrain()
	}
}

// cancelsOf returns the cancels of a shard.
func (j *job) cancelsOf(shard int) []failover.Cancel {
	var all []failover.Cancel
	for _, c := range j.cancels {
		if len(c.Shards) == 0 || slices.Contains(c.Shards, shard) {
			all = append(all, failover.Cancel{
				Fire:    c.Fire,
				Trigger: c.Trigger,
				By:      c.By,
				Why:     c.Why,
			})
		}
	}
	return all
}

// cancelCause is the cause with which a run ends that an operator cancelled. It
// is an ErrCancelled.
type cancelCause struct{ text string }

func (c *cancelCause) Error() string { return c.text }

// Is makes it an ErrCancelled.
func (c *cancelCause) Is(target error) bool { return target == ErrCancelled }

// causeOf returns the cause with which a decision to cancel ends a run.
func causeOf(d failover.Decision) error {
	if d.Code != failover.CodeCancelled {
		return ErrReplaced
	}
	text := "cancelled by " + d.Args["by"]
	if why := d.Args["why"]; why != "" {
		text += ": " + why
	}
	return &cancelCause{text}
}
