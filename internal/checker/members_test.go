package checker

import (
	"slices"
	"testing"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// An eviction compares the key and the heartbeat, and leaves nothing behind; a
// sign of life rests on the instance; a set that is named is whole and stays.
func TestAudit_MembersAndSets(t *testing.T) {
	set := layout.NewJobSet([]string{"job"}, false)
	hash, docs := set.Hash(), set.Documents()
	instance := func(name string) []byte {
		return layout.Instance{Name: name, Weight: 1, State: layout.Up, Sets: []string{hash}, Level: layout.Level}.Encode()
	}
	header, part := layout.SetKey(hash, 0), layout.SetKey(hash, 1)
	a, b := layout.InstanceKey("a@1"), layout.InstanceKey("b@1")
	beat, clock := layout.HeartbeatKey("b@1"), layout.ClockKey("b@1")
	beats, ticks := layout.Heartbeat{Count: 1}.Encode(), layout.Clock{Clock: midnight, Count: 1}.Encode()
	tick := func(cond []store.Cond, client string) memory.Commit {
		return memory.Commit{Client: client, If: cond, Do: []store.Op{store.CreateEphemeral(clock, ticks)}}
	}
	evict := func(cond []store.Cond, keys ...string) memory.Commit {
		c := memory.Commit{Client: "a", If: append([]store.Cond{store.Exists(a)}, cond...)}
		for _, key := range keys {
			c.Do = append(c.Do, store.Delete(key))
		}
		return c
	}
	seen := []store.Cond{store.At(b, 3), store.At(beat, 3)}
	setUp := []memory.Commit{
		{Client: "a", Do: []store.Op{store.Create(part, docs[1]), store.Create(header, docs[0])}},
		{Client: "a", Do: []store.Op{store.CreateEphemeral(a, instance("a"))}},
		{Client: "b", Do: []store.Op{store.CreateEphemeral(b, instance("b")), store.CreateEphemeral(beat, beats)}},
	}
	for _, row := range []struct {
		name   string
		extra  []memory.Commit
		breach bool
	}{
		{"the story itself", nil, false},
		{"a clock", []memory.Commit{tick([]store.Cond{store.Exists(b)}, "b")}, false},
		{"a clock without a guard", []memory.Commit{tick(nil, "b")}, true},
		{"a clock for another", []memory.Commit{tick([]store.Cond{store.Exists(b)}, "a")}, true},
		{"an eviction", []memory.Commit{evict(seen, b, beat)}, false},
		{"an eviction without a look at the key", []memory.Commit{evict(seen[1:], b, beat)}, true},
		{"an eviction without a look at the heartbeat", []memory.Commit{evict(seen[:1], b, beat)}, true},
		{"an eviction that leaves the heartbeat", []memory.Commit{evict(seen, b)}, true},
		{"an eviction that leaves the clock", []memory.Commit{tick([]store.Cond{store.Exists(b)}, "b"), evict(seen, b, beat)}, true},
		{"an eviction of all three keys", []memory.Commit{tick([]store.Cond{store.Exists(b)}, "b"), evict(seen, b, beat, clock)}, false},
		{"a named set deleted", []memory.Commit{evict(nil, header)}, true},
		{"a set that is not whole", []memory.Commit{
			{Client: "operator", Do: []store.Op{store.Set(part, []byte("{}"))}},
			{Client: "a", Do: []store.Op{store.Set(a, instance("a"))}},
		}, true},
	} {
		all := slices.Concat(setUp, row.extra)
		for i := range all {
			all[i].Rev, all[i].Time = uint64(i+1), midnight
			all[i].Cause, all[i].Session = memory.Committed, "s-"+all[i].Client
		}
		if found, report := audited(all); (len(found) > 0) != row.breach {
			t.Errorf("%s: %s", row.name, report)
		}
	}
}
