package checker

import (
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// evicted checks the deletion of an instance's key by another instance: it
// compares the key and the heartbeat with what was seen, and leaves no key of
// the instance behind.
func (a *Audit) evicted(id string, op store.Op) {
	if a.byOperator() || a.now.Cause != memory.Committed {
		return
	}
	heartbeat := layout.HeartbeatKey(id)
	switch {
	case !a.guarded(op.Key, true):
		a.breach(8, "", -1, "%s was evicted without a look at its key", id)
	case a.signs[heartbeat] && !a.guarded(heartbeat, true):
		a.breach(8, "", -1, "%s was evicted without a look at its heartbeat", id)
	}
	for _, key := range []string{heartbeat, layout.ClockKey(id)} {
		if a.signs[key] && !a.deletes(key) {
			a.breach(8, "", -1, "%s was evicted, and %s is left behind", id, key)
		}
	}
}

// deletes reports whether the commit deletes a key.
func (a *Audit) deletes(key string) bool {
	for _, op := range a.now.Do {
		if op.Key == key && op.Kind == store.OpDelete {
			return true
		}
	}
	return false
}

// sign checks a write of a heartbeat or a clock: only the instance itself makes
// one, while it is alive.
func (a *Audit) sign(id string, op store.Op) {
	if op.Kind == store.OpDelete {
		delete(a.signs, op.Key)
		return
	}
	a.signs[op.Key] = true
	if a.byOperator() {
		return
	}
	a.sessioned(8, "", -1, op.Key)
	_, err := layout.DecodeHeartbeat(op.Value)
	if layout.Prefix(op.Key) == layout.Clocks {
		_, err = layout.DecodeClock(op.Value)
	}
	if err != nil {
		a.breach(8, "", -1, "%s can't be read: %v", op.Key, err)
	}
	if !a.guarded(layout.InstanceKey(id), false) && !a.registers(layout.InstanceKey(id)) {
		a.breach(8, "", -1, "%s was written without a guard on the instance", op.Key)
	}
	if a.clients[id] != "" && a.clients[id] != a.now.Client {
		a.breach(8, "", -1, "%s was written for another instance", op.Key)
	}
}

// registers reports whether the commit creates an ephemeral key.
func (a *Audit) registers(key string) bool {
	for _, op := range a.now.Do {
		if op.Key == key && op.Kind == store.OpCreateEphemeral {
			return true
		}
	}
	return false
}

// set notes a document of a set of jobs. A set that a live instance names
// stays.
func (a *Audit) set(op store.Op) {
	hash, part, _ := layout.SetOf(op.Key)
	if a.sets[hash] == nil {
		a.sets[hash] = map[int][]byte{}
	}
	if op.Kind != store.OpDelete {
		a.sets[hash][part] = op.Value
		if !a.byOperator() {
			a.sessioned(8, "", -1, op.Key)
		}
		return
	}
	delete(a.sets[hash], part)
	if a.byOperator() {
		a.damaged = true
		return
	}
	for id, i := range a.alive {
		for _, named := range i.Sets {
			if named == hash {
				a.breach(8, "", -1, "%s was deleted, and %s names it", op.Key, id)
			}
		}
	}
}

// names checks that all sets which an instance names are in the store.
func (a *Audit) names(id string, i layout.Instance) {
	for _, hash := range i.Sets {
		if _, err := layout.DecodeJobSet(hash, a.sets[hash]); err != nil && !a.damaged {
			a.breach(8, "", -1, "%s names a set that is not there: %v", id, err)
		}
	}
}
