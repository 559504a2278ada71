package failover

import (
	"testing"
	"time"
)

// The rows show every field, so that nothing of the run before is left.
func TestRecord_Transitions(t *testing.T) {
	late := at("10:00:42")
	ran := Record{
		Fire: at("10:00:00"), Fence: 7, Attempt: 2, HandOvers: 1, Started: at("10:00:01"),
		Ended: at("10:00:03"), Result: ResultFailed, Error: "disk full",
	}
	runs := Record{Fire: at("10:00:00"), Fence: 7, State: StateRunning, Owner: other, Attempt: 2, HandOvers: 1, Started: at("10:00:01")}
	carries := runs
	carries.CarryOn = time.Minute
	orphan := runs
	orphan.Owner, orphan.HandOvers = "", 2

	for _, tt := range []struct {
		name string
		got  Record
		want Record
	}{
		{"begin", ran.Begin(at("10:00:40"), me, late),
			Record{Fire: at("10:00:40"), Fence: 8, State: StateRunning, Owner: me, Attempt: 1, Started: late}},
		{"begin, never ran", Record{}.Begin(at("10:00:40"), me, late),
			Record{Fire: at("10:00:40"), Fence: uint64(late.UnixMilli()), State: StateRunning, Owner: me, Attempt: 1, Started: late}},
		{"begin, never ran, by a clock before 1970", Record{}.Begin(at("10:00:40"), me, late.AddDate(-100, 0, 0)),
			Record{Fire: at("10:00:40"), Fence: 1, State: StateRunning, Owner: me, Attempt: 1, Started: late.AddDate(-100, 0, 0)}},
		{"complete", runs.Complete(ResultFailed, "disk full", late),
			Record{Fire: at("10:00:00"), Fence: 7, Attempt: 2, HandOvers: 1, Started: at("10:00:01"), Ended: late, Result: ResultFailed, Error: "disk full"}},
		{"complete without an error", runs.Complete(ResultSucceeded, "", late),
			Record{Fire: at("10:00:00"), Fence: 7, Attempt: 2, HandOvers: 1, Started: at("10:00:01"), Ended: late, Result: ResultSucceeded}},
		{"take over", runs.TakeOver(me, late),
			Record{Fire: at("10:00:00"), Fence: 8, State: StateRunning, Owner: me, Attempt: 3, HandOvers: 1, Started: late}},
		{"take over a run that was handed over", orphan.TakeOver(me, late),
			Record{Fire: at("10:00:00"), Fence: 8, State: StateRunning, Owner: me, Attempt: 3, HandOvers: 2, Started: late}},
		{"abandon", runs.Abandon(late),
			Record{Fire: at("10:00:00"), Fence: 7, Attempt: 2, HandOvers: 1, Started: at("10:00:01"), Ended: late, Result: ResultLost,
				Error: "the instance b@1 did not finish it"}},
		{"abandon a run that was handed over", orphan.Abandon(late),
			Record{Fire: at("10:00:00"), Fence: 7, Attempt: 2, HandOvers: 2, Started: at("10:00:01"), Ended: late, Result: ResultLost,
				Error: "the instance that left did not finish it"}},
		{"hand over", runs.HandOver(), orphan},
		{"hand over what may carry on", carries.HandOver(), orphan},
		{"complete what may carry on", carries.Complete(ResultSucceeded, "", late), runs.Complete(ResultSucceeded, "", late)},
		{"reclaim", carries.Reclaim(me),
			Record{Fire: at("10:00:00"), Fence: 8, State: StateRunning, Owner: me, Attempt: 2, HandOvers: 1, Started: at("10:00:01"), CarryOn: time.Minute}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.name, tt.got, tt.want)
		}
	}
}

// A resource that remembers the fence of a shard's earlier life must not refuse
// its next.
func TestBegin_FencesGrowAfterDeletion(t *testing.T) {
	r := Record{}.Begin(at("10:00:00"), me, at("10:00:00"))
	for range 1000 { // In a thousand seconds.
		r = r.Complete(ResultSucceeded, "", now).Begin(r.Fire, me, now)
	}
	if next := (Record{}).Begin(at("10:16:40"), me, at("10:16:40")); next.Fence <= r.Fence {
		t.Errorf("the fence was %d, and is %d after the record was deleted", r.Fence, next.Fence)
	}
}
