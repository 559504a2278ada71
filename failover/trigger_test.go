package failover

import "testing"

// A shard begins each trigger once and in order.
func TestTrigger_OnceAndInOrder(t *testing.T) {
	all := []Trigger{
		{Seq: 3, At: at("09:00:00")},
		{Seq: 5, At: at("09:30:00"), Shards: []int{1, 2}},
		{Seq: 8, At: at("10:00:00"), Shards: []int{0}},
		{Seq: 9, At: at("08:00:00"), Shards: []int{1, 2}, Resharded: at("09:15:00")}, // by a clock that is behind
	}
	ran := func(seq uint64) Record { return Record{Fence: 7, Trigger: seq} }
	resharded := Policy{Resharded: at("09:15:00")}
	for _, tt := range []struct {
		name   string
		shard  int
		record Record
		policy Policy
		want   uint64
	}{
		{"a shard that never ran begins with the first", 0, Record{}, Policy{}, 3},
		{"the one after the last that it began", 1, ran(3), Policy{}, 5},
		{"not one for other shards", 0, ran(3), Policy{}, 8},
		{"none is left", 0, ran(8), Policy{}, 0},
		{"none is left for this shard", 2, ran(9), Policy{}, 0},
		{"a trigger that is gone does not matter", 1, ran(4), Policy{}, 5},
		{"a new shard has no part in what was divided among fewer", 1, Record{}, resharded, 9},
		{"a shard that is new to a broadcast passes over what was given before", 1, Record{}, Policy{Passed: 3}, 5},
		{"one that has a record knows by itself", 1, ran(2), Policy{Passed: 3}, 3},
		{"nor has one that came back a moment later, and may have begun it before", 0, Record{}, resharded, 0},
		{"nor has one that was there: the others would not do what it leaves", 1, ran(2), resharded, 9},
	} {
		var got uint64
		if next := NextTrigger(all, tt.shard, tt.record, tt.policy); next != nil {
			got = next.Seq
		}
		if got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if next := NextTrigger(nil, 0, Record{}, Policy{}); next != nil {
		t.Errorf("without triggers: got %v, want none", next)
	}
}

// A fire that is due when the job is triggered is due afterwards, too; and
// a run that was triggered is repeated as that.
func TestTrigger_KeepsSchedule(t *testing.T) {
	call := Trigger{Seq: 9, At: at("10:00:01"), Parameter: "again"}
	r := idle("10:00:00").BeginTrigger(call, me, now)
	if !r.IsManual() || !r.Time().Equal(call.At) || !r.Fire.Equal(at("10:00:00")) || r.Trigger != 9 || r.Fence != 8 || r.Attempt != 1 {
		t.Errorf("begun: %+v", r)
	}
	again := r.HandOver().TakeOver(other, now)
	if again.Manual != r.Manual || again.Trigger != 9 || again.Attempt != 2 || again.Fence != 9 {
		t.Errorf("taken over: %+v", again)
	}
	decoded, err := Decode(again.Encode())
	if err != nil || decoded.Manual.Parameter != "again" || !decoded.Time().Equal(call.At) {
		t.Errorf("stored and read: %+v, %v", decoded, err)
	}
	done := again.Complete(ResultSucceeded, "", now)
	if next := done.Begin(at("10:00:10"), me, now); next.IsManual() || next.Trigger != 9 || !next.Time().Equal(at("10:00:10")) {
		t.Errorf("the schedule's next run: %+v", next)
	}
	if first := (Record{}).BeginTrigger(call, me, now); !first.Fire.IsZero() {
		t.Errorf("a shard that only ever was triggered: %+v", first)
	} else if decoded, err := Decode(first.Encode()); err != nil || decoded != first {
		t.Errorf("stored and read: %+v, %v, want %+v", decoded, err, first)
	}
}
