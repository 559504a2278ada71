package engine

import (
	"errors"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// A broadcast has a shard for each instance. Who comes gets a new one, which may have the number of one that was there before and whose
// record went with its instance. What it had begun nobody knows any more, so the new one passes over all triggers that were given before it
// came into being: the assignment that makes it names the last of them, and rests on the version of the triggers that it was read from.

// regrows says whether a broadcast gets shards that it may have had before.
func regrows(have *layout.Assignment, want layout.Assignment) bool {
	return have != nil && want.Strategy == layout.BroadcastSharding && len(want.Owners) > len(have.Owners)
}

// passOver has an assignment name the last trigger that was given. It returns false if that must wait until there is something to rest on: where
// nothing was triggered yet, the key is created first.
func (e *Engine) passOver(j *job, want *layout.Assignment) bool {
	key := layout.SignalsKey(j.name)
	if j.signalsVersion == 0 {
		j.assigning = true
		guards := []store.Cond{store.At(layout.JobKey(j.name), j.specVersion)} // or it would be left over of a job that is removed
		m := e.me
		e.send(&e.docs, &move{guards: guards, op: store.Create(key, layout.Signal{}.Encode()), done: func(_ store.Version, err error) {
			j.assigning = false
			e.suspect(j)
			switch {
			case e.me != m:
			case errors.Is(err, store.ErrConflict) && e.refused(j, guards, conflictKey(err)):
			case err == nil, errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown):
				e.await(j, key, 0)
			}
		}})
		return false
	}
	if n := len(j.triggers); n > 0 {
		want.Triggers = max(want.Triggers, j.triggers[n-1].Seq)
	}
	return true
}
