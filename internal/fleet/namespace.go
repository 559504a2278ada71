package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// Namespace has the documents of a namespace that are not of single jobs.
type Namespace struct {
	Instances []*Instance // oldest first
	byID      map[string]*Instance

	// Paused: an operator paused the namespace.
	Paused bool
}

// Instance is a live instance.
type Instance struct {
	ID      string
	Created uint64
	Version store.Version
	Err     error // its document can't be read, and is zero
	layout.Instance

	sets   layout.Sets
	cordon *layout.Cordon // that keeps it from owning shards; nil: none
}

// Has reports whether the instance has a handler for a job. One of which a set
// of jobs can't be read has none.
func (i *Instance) Has(job string) bool { return i.sets.Has(i.Sets, job) }

// NewNamespace returns the namespace with these entries below instances/ and
// below cordons/, and the sets of jobs that the instances name. A cordon that
// can't be read has no effect.
func NewNamespace(entries, cordons []store.Entry, sets layout.Sets) *Namespace {
	n := &Namespace{byID: make(map[string]*Instance, len(entries))}
	for _, e := range entries {
		id, ok := layout.NameOf(layout.Instances, e.Key)
		if !ok {
			continue
		}
		i := &Instance{ID: id, Created: e.Created, Version: e.Version, sets: sets}
		i.Instance, i.Err = layout.DecodeInstance(e.Value)
		n.Instances = append(n.Instances, i)
		n.byID[id] = i
	}
	slices.SortFunc(n.Instances, func(a, b *Instance) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.ID, b.ID))
	})
	for _, e := range cordons {
		name, _ := layout.NameOf(layout.Cordons, e.Key)
		c, err := layout.DecodeCordon(name, e.Value)
		if err == nil {
			n.cordon(name, c)
		}
	}
	return n
}

// cordon takes the wish of an operator.
func (n *Namespace) cordon(name string, c layout.Cordon) {
	switch c.Action {
	case layout.ActionPause:
		n.Paused = true
	case layout.ActionCordon, layout.ActionDrain, layout.ActionLeave:
		for _, i := range n.Instances {
			if c.Meets(name, i.ID, i.Instance) {
				i.cordon = &c
			}
		}
	}
}

// Instance returns the live instance of an ID; nil if there is none.
func (n *Namespace) Instance(id string) *Instance { return n.byID[id] }

// Alive reports whether an instance is live.
func (n *Namespace) Alive(id string) bool { return n.byID[id] != nil }

// Owned returns how many shards assignments give to each instance, by ID.
// entries are those of assignments/.
func Owned(entries []store.Entry) map[string]int {
	owned := map[string]int{}
	for _, e := range entries {
		CountOwned(owned, e)
	}
	return owned
}

// CountOwned adds the shards of an assignment to those of their owners. An
// assignment that can't be read adds none.
func CountOwned(owned map[string]int, e store.Entry) {
	a, err := layout.DecodeAssignment(e.Value)
	if err != nil {
		return
	}
	for _, id := range a.Owners {
		owned[id]++
	}
}

// Status returns an instance as an answer shows it.
func (i *Instance) Status(owned int) status.Instance {
	s := status.Instance{
		ID:      i.ID,
		Name:    i.Name,
		Host:    i.Host,
		PID:     i.PID,
		State:   status.InstanceUp,
		Labels:  i.Labels,
		Weight:  i.Weight,
		Started: i.Started.UTC(),
		Jobs:    len(i.sets.Names(i.Sets)),
		Owned:   owned,
	}
	switch {
	case i.Err != nil:
		s.State, s.Name = status.InstanceUnreadable, layout.InstanceName(i.ID)
		s.Reason = Unreadable(layout.InstanceKey(i.ID), i.Err)
	case !i.sets.Whole(i.Sets):
		s.State = status.InstanceUnreadable
		s.Reason = Unreadable(layout.JobSets, layout.ErrSetIncomplete)
	case i.State == layout.Draining:
		s.State = status.InstanceDraining
		s.Reason = status.Reason{Code: "draining", Text: "it leaves, and finishes what it runs"}
	case i.State == layout.ClockOff:
		s.State = status.InstanceClockOff
		s.Reason = status.Reason{Code: "clock_off", Text: "its clock differs from most others', so it begins nothing"}
	case i.cordon != nil:
		s.State = status.InstanceCordoned
		s.Reason = status.Reason{
			Code: "cordoned",
			Args: map[string]string{"by": i.cordon.Changed.By, "action": string(i.cordon.Action)},
			Text: cordonWords(*i.cordon),
		}
	}
	return s
}

// cordonWords says what a cordon is, by whom and why.
func cordonWords(c layout.Cordon) string {
	text := fmt.Sprintf("%s by %s since %s", c.Action, c.Changed.By, c.Changed.At.UTC().Format(time.RFC3339))
	if c.Changed.Why != "" {
		text += ": " + c.Changed.Why
	}
	return text
}

// Unreadable is the reason of a document that can't be read.
func Unreadable(key string, err error) status.Reason {
	return status.Reason{
		Code: status.CodeUnreadable,
		Args: map[string]string{"key": key},
		Text: key + " can't be read, and is left alone: " + err.Error(),
	}
}

// Clocks returns the clocks of the instances that are up, from the entries
// below clocks/: the oldest instances write theirs.
func (n *Namespace) Clocks(entries []store.Entry) []time.Time {
	var clocks []time.Time
	for _, e := range entries {
		id, _ := layout.NameOf(layout.Clocks, e.Key)
		i := n.byID[id]
		if i == nil || i.Err != nil || i.State != layout.Up {
			continue
		}
		if c, err := layout.DecodeClock(e.Value); err == nil {
			clocks = append(clocks, c.Clock)
		}
	}
	return clocks
}

// HasJob reports whether a live instance has a job. One that can't be read may
// have it.
func (n *Namespace) HasJob(job string) bool {
	return slices.ContainsFunc(n.Instances, func(i *Instance) bool { return i.Err != nil || i.Has(job) })
}
