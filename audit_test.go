package elastic_test

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// audit checks every commit, in the order of the store, against the protocol: not only that nothing went wrong, but that nothing
// was let through that should have been refused.
type audit struct {
	mu      sync.Mutex
	keys    map[string][]byte
	begun   map[string]bool // job/shard/fire that began with attempt 1
	given   map[string]bool // job/shard/fire that was given up
	found   []string
	history []string
}

func newAudit(s *memory.Server) *audit {
	a := &audit{keys: map[string][]byte{}, begun: map[string]bool{}, given: map[string]bool{}}
	s.OnCommit(a.commit)
	return a
}

func (a *audit) faults() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.found
}

// gaveUp says whether a run of a fire was abandoned.
func (a *audit) gaveUp(job string, shard int, fire time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given[fmt.Sprint(layout.RunKey(job, shard), fire.Unix())]
}

func (a *audit) story() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.history, "")
}

func (a *audit) fault(c memory.Commit, format string, args ...any) {
	a.found = append(a.found, fmt.Sprintf("%s %s by %s: %s", stamp(c.Time), c.Cause, c.Client, fmt.Sprintf(format, args...)))
}

func (a *audit) commit(c memory.Commit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, op := range c.Do {
		before, there := a.keys[op.Key]
		if prefix, _, _ := strings.Cut(op.Key, "/"); prefix == layout.Jobs || prefix == layout.Assignments {
			a.history = append(a.history, fmt.Sprintf("  %s %-8s %s = %s\n", stamp(c.Time), c.Client, op.Key, op.Value))
		}
		if c.Client != "admin" && c.Cause == memory.Committed {
			a.check(c, op, before, there)
		}
		if op.Kind == store.OpDelete {
			delete(a.keys, op.Key)
			continue
		}
		a.keys[op.Key] = op.Value
	}
}

func (a *audit) check(c memory.Commit, op store.Op, before []byte, there bool) {
	prefix, rest, _ := strings.Cut(op.Key, "/")
	switch prefix {
	case "runs":
		job, _, _ := strings.Cut(rest, "/")
		a.checkRecord(c, op, job, before, there)
	case layout.Assignments:
		a.checkAssignment(c, op)
	}
}

// checkRecord checks that a write to a record is one of the transitions, by one who may.
func (a *audit) checkRecord(c memory.Commit, op store.Op, job string, before []byte, there bool) {
	var old failover.Record
	if there {
		old, _ = failover.Decode(before)
	}
	if op.Kind == store.OpDelete {
		if old.State == failover.Running {
			a.fault(c, "deleted %s while it was running: %s", op.Key, old)
		}
		return
	}
	now, err := failover.Decode(op.Value)
	if err != nil {
		a.fault(c, "%s: %v", op.Key, err)
		return
	}
	a.history = append(a.history, fmt.Sprintf("  %s %-8s %s: %s\n", stamp(c.Time), c.Client, op.Key, now))
	if !guardedBy(c, op.Key) && there {
		a.fault(c, "wrote %s without comparing its version", op.Key)
	}
	claim := now.State == failover.Running && now.Owner != ""
	reclaim := claim && old.State == failover.Running && now.Attempt == old.Attempt
	if claim && !reclaim {
		a.checkClaim(c, op.Key, job, now)
	}
	switch {
	case reclaim:
		if old.CarryOn == 0 || now != old.Reclaim(now.Owner) || a.alive(old.Owner) || !a.alive(now.Owner) || layout.InstanceName(old.Owner) != c.Client || layout.InstanceName(now.Owner) != c.Client {
			a.fault(c, "%s: claimed anew from %s to %s", op.Key, old, now)
		}
	case claim && now.Attempt == 1: // begin
		id := fmt.Sprint(op.Key, now.Fire.Unix())
		if now.IsManual() {
			id = fmt.Sprint(op.Key, " trigger ", now.Trigger)
		}
		if a.begun[id] {
			a.fault(c, "%s began twice: %s", op.Key, now)
		}
		a.begun[id] = true
		if old.State != failover.Idle || now.Fence <= old.Fence {
			a.fault(c, "%s: begin from %s to %s", op.Key, old, now)
		}
		switch {
		case now.IsManual() && (now.Trigger <= old.Trigger || !now.Fire.Equal(old.Fire)):
			a.fault(c, "%s: trigger from %s to %s", op.Key, old, now)
		case !now.IsManual() && now.Trigger != old.Trigger:
			a.fault(c, "%s: a fire forgets a trigger, from %s to %s", op.Key, old, now)
		case !now.IsManual() && !now.Fire.After(old.Fire) && !failover.InFuture(old, c.Time):
			a.fault(c, "%s: the fire of %s began after that of %s", op.Key, stamp(now.Fire), stamp(old.Fire))
		}
	case claim: // take over
		if old.State != failover.Running || now.Attempt != old.Attempt+1 || now.Fence != old.Fence+1 || !now.Fire.Equal(old.Fire) || now.Trigger != old.Trigger || now.Manual != old.Manual {
			a.fault(c, "%s: take-over from %s to %s", op.Key, old, now)
		}
		if a.alive(old.Owner) && old.Owner != now.Owner {
			a.fault(c, "%s: taken over from %s, which is alive", op.Key, old.Owner)
		}
	case now.State == failover.Running: // hand over
		if old.State != failover.Running || now.Fence != old.Fence || now.HandOvers != old.HandOvers+1 || layout.InstanceName(old.Owner) != c.Client {
			a.fault(c, "%s: hand-over from %s to %s", op.Key, old, now)
		}
	case now.Result == failover.Lost: // abandon
		a.given[fmt.Sprint(op.Key, now.Fire.Unix())] = true
		if old.State != failover.Running || a.alive(old.Owner) {
			a.fault(c, "%s: abandoned from %s to %s", op.Key, old, now)
		}
	default: // complete
		if old.State != failover.Running || now.Fence != old.Fence || layout.InstanceName(old.Owner) != c.Client {
			a.fault(c, "%s: completed from %s to %s", op.Key, old, now)
		}
	}
}

// checkClaim checks the guards of begin and take over.
func (a *audit) checkClaim(c memory.Commit, key, job string, r failover.Record) {
	if !a.alive(r.Owner) || layout.InstanceName(r.Owner) != c.Client {
		a.fault(c, "%s: claimed by %s, which is not alive", key, r.Owner)
	}
	spec, err := layout.DecodeSpec(a.keys[layout.JobKey(job)])
	if err != nil || spec.Disabled {
		a.fault(c, "%s: claimed for a job that is disabled or not there (%v)", key, err)
	}
	assigned, err := layout.DecodeAssignment(a.keys[layout.AssignmentKey(job)])
	item, _ := layout.ShardOf(key)
	if err != nil || !spec.Broadcast() && len(assigned.Owners) != spec.Shards || item >= len(assigned.Owners) || assigned.Owners[item] != r.Owner {
		a.fault(c, "%s: claimed by %s, which does not own it: assigned are %v (%v), the spec has %d shards", key, r.Owner, assigned.Owners, err, spec.Shards)
	}
}

// checkAssignment checks that an assignment covers the spec's shards, and that its writer lives.
func (a *audit) checkAssignment(c memory.Commit, op store.Op) {
	job := layout.Base(op.Key)
	next, err := layout.DecodeAssignment(op.Value)
	if err != nil {
		a.fault(c, "%s: %v", op.Key, err)
		return
	}
	spec, err := layout.DecodeSpec(a.keys[layout.JobKey(job)])
	if err != nil || !spec.Broadcast() && spec.Shards != len(next.Owners) {
		a.fault(c, "%s: %d shards assigned, the spec has %d (%v)", op.Key, len(next.Owners), spec.Shards, err)
	}
	guarded := false
	for _, cond := range c.If {
		if strings.HasPrefix(cond.Key, layout.Instances+"/") {
			guarded = true
		}
	}
	if !guarded {
		a.fault(c, "%s: assigned without the leader's own key as a guard", op.Key)
	}
	if before, there := a.keys[op.Key]; there {
		if old, err := layout.DecodeAssignment(before); err == nil && next.Epoch != old.Epoch+1 {
			a.fault(c, "%s: epoch %d after %d", op.Key, next.Epoch, old.Epoch)
		}
	}
}

func guardedBy(c memory.Commit, key string) bool {
	for _, cond := range c.If {
		if cond.Key == key && cond.Version != 0 {
			return true
		}
	}
	return false
}

func (a *audit) alive(id string) bool {
	_, ok := a.keys[layout.InstanceKey(id)]
	return ok
}
