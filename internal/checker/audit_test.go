package checker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// byTest is the author of the documents of a test.
var byTest = layout.Changed{By: "a@1", At: midnight, Via: layout.ViaCode}

// stored returns the document of a job that an instance has created.
func stored(spec layout.Spec) []byte { return layout.NewJob(spec, byTest).Encode() }

// story is a job of one shard that a runs once and, after its death, b again.
// Each commit can be doctored.
func story() []memory.Commit {
	spec := layout.Spec{Schedule: "* * * * * ?", Shards: 1, Sharding: "sticky", Failover: true, MaxAttempts: 2, Misfire: failover.MisfireOnce, Overlap: failover.OverlapQueue}.From(midnight)
	instance := func(name string) []byte {
		return layout.Instance{Name: name, Weight: 1, State: layout.Up, Level: layout.Level}.Encode()
	}
	given := func(epoch uint64, to string) []byte {
		return layout.Assignment{Epoch: epoch, Strategy: "sticky", Owners: []string{to}}.Encode()
	}
	first := failover.Record{}.Begin(midnight.Add(time.Second), "a@1", midnight.Add(time.Second))
	again := first.TakeOver("b@1", midnight.Add(5*time.Second))
	done := again.Complete(failover.ResultSucceeded, "", midnight.Add(6*time.Second))
	assigned := func(id string) []store.Cond {
		return []store.Cond{store.Exists(layout.InstanceKey(id)), store.At("jobs/job", 2)}
	}
	claimed := func(id string, v store.Version, more ...store.Cond) []store.Cond {
		return append([]store.Cond{store.Exists(layout.InstanceKey(id)), store.At("jobs/job", 2), store.At("assignments/job", v)}, more...)
	}
	do := func(client string, cond []store.Cond, ops ...store.Op) memory.Commit {
		return memory.Commit{Cause: memory.Committed, Client: client, Session: "s-" + client, If: cond, Do: ops}
	}
	all := []memory.Commit{
		0: do("a", nil, store.CreateEphemeral("instances/a@1", instance("a")), store.CreateEphemeral("instances/b@1", nil)),
		1: do("a", nil, store.Create("jobs/job", stored(spec))),
		2: do("a", assigned("a@1"), store.Create("assignments/job", given(1, "a@1"))),
		3: do("a", claimed("a@1", 3), store.Create("runs/job/0", first.Encode())),
		4: {Cause: memory.Expired, Client: "a", Do: []store.Op{store.Delete("instances/a@1")}},
		5: do("b", append(assigned("b@1"), store.At("assignments/job", 3)), store.Set("assignments/job", given(2, "b@1"))),
		6: do("b", claimed("b@1", 6, store.At("runs/job/0", 4)), store.Set("runs/job/0", again.Encode())),
		7: do("b", []store.Cond{store.At("runs/job/0", 7)}, store.Set("runs/job/0", done.Encode())),
		8: do("operator", nil),
		9: do("b", claimed("b@1", 6, store.At("runs/job/0", 8))),
	}
	all[0].Do = all[0].Do[:1]
	all = slices.Insert(all, 1, do("b", nil, store.CreateEphemeral("instances/b@1", instance("b"))))
	for i := range all {
		all[i].Rev, all[i].Time = uint64(i+1), midnight.Add(time.Duration(i)*time.Second)
	}
	return all
}

func audited(all []memory.Commit) (numbers []int, report string) {
	a := NewAudit("operator")
	for _, c := range all {
		a.Commit(c)
	}
	for _, v := range a.Found {
		numbers = append(numbers, v.Invariant)
		report += fmt.Sprintln(v)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), report
}

// What should have been refused is a breach, even if it did no harm.
func TestADoctoredStoreBreaksJustWhatIsDoctored(t *testing.T) {
	if found, report := audited(story()); len(found) > 0 {
		t.Fatalf("the story itself: %s", report)
	}
	drop := func(commit int, key string) func([]memory.Commit) {
		return func(all []memory.Commit) {
			all[commit].If = slices.DeleteFunc(slices.Clone(all[commit].If), func(c store.Cond) bool { return c.Key == key })
		}
	}
	rewrite := func(commit int, f func(r *failover.Record)) func([]memory.Commit) {
		return func(all []memory.Commit) {
			r, err := failover.Decode(all[commit].Do[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			f(&r)
			all[commit].Do = []store.Op{{Kind: all[commit].Do[0].Kind, Key: all[commit].Do[0].Key, Value: r.Encode()}}
		}
	}
	edit := func(f func(s *layout.Spec)) func([]memory.Commit) {
		return func(all []memory.Commit) {
			spec, err := layout.DecodeSpec(all[2].Do[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			f(&spec)
			all[2].Do = []store.Op{store.Create("jobs/job", stored(spec))}
		}
	}
	// a is back under another ID, and goes on with what it runs.
	reclaim := func(carryOn time.Duration) func([]memory.Commit) {
		return func(all []memory.Commit) {
			rewrite(4, func(r *failover.Record) { r.CarryOn = carryOn })(all)
			claimed, _ := failover.Decode(all[4].Do[0].Value)
			all[1].Client, all[6].Client, all[7].Client, all[8].Client = "a", "a", "a", "a"
			all[7].Do = []store.Op{store.Set("runs/job/0", claimed.Reclaim("b@1").Encode())}
			all[8].Do = []store.Op{store.Set("runs/job/0", claimed.Reclaim("b@1").Complete(failover.ResultSucceeded, "", midnight).Encode())}
		}
	}
	// The job is changed after the last run, and its second fire begins long
	// after.
	change := func(f func(s *layout.Spec)) func([]memory.Commit) {
		return func(all []memory.Commit) {
			spec, _ := layout.DecodeSpec(all[2].Do[0].Value)
			done, _ := failover.Decode(all[8].Do[0].Value)
			f(&spec)
			doc, _ := layout.DecodeJob(all[2].Do[0].Value)
			all[9].Do = []store.Op{store.Set("jobs/job", doc.With(spec, byTest).Encode())}
			all[10].Do = []store.Op{store.Set("runs/job/0", done.Begin(midnight.Add(2*time.Second), "b@1", midnight).Encode())}
		}
	}
	for _, row := range []struct {
		name   string
		doctor func(all []memory.Commit)
		want   []int
	}{
		{"a claim without its claimer's own key", drop(4, "instances/a@1"), []int{1}},
		{"a claim without the spec", drop(4, "jobs/job"), []int{7}},
		{"a claim without the assignment", drop(4, "assignments/job"), []int{6}},
		{"a claim outside a session", func(all []memory.Commit) { all[4].Session = "" }, []int{1}},
		{"a take-over without a look at the record", drop(7, "runs/job/0"), []int{1}},
		{"a take-over of a run whose owner lives", func(all []memory.Commit) { all[5].Do = nil }, []int{3}},
		{"a take-over without failover", edit(func(s *layout.Spec) { s.Failover = false }), []int{3}},
		{"a take-over with no attempt left", edit(func(s *layout.Spec) { s.MaxAttempts = 1 }), []int{3}},
		{"a take-over with the old fence", rewrite(7, func(r *failover.Record) { r.Fence-- }), []int{1, 3}},
		{"a take-over that counts as the first attempt", rewrite(7, func(r *failover.Record) { r.Attempt = 1 }), []int{1, 2}},
		{"a claim of a job that is disabled", edit(func(s *layout.Spec) { s.Disabled = true }), []int{7}},
		{"an assignment without its leader", drop(6, "instances/b@1"), []int{6}},
		{"an assignment without the spec", drop(6, "jobs/job"), []int{6}},
		{"an assignment without the one before", drop(6, "assignments/job"), []int{6}},
		{"an assignment of other shards than the job has", edit(func(s *layout.Spec) { s.Shards = 2 }), []int{6}},
		{"an instance that comes back", func(all []memory.Commit) { all[6].Do[0], all[6].If = all[0].Do[0], nil }, []int{1, 3, 6}},
		{"an end of a run by another", func(all []memory.Commit) { all[8].Client = "a" }, []int{3}},
		{"a run given up that could be repeated", func(all []memory.Commit) {
			edit(func(s *layout.Spec) { s.MaxAttempts = 3 })(all)
			rewrite(8, func(r *failover.Record) { r.Result = failover.ResultLost })(all)
		}, []int{4}},
		{"a take-over of a run that may be claimed anew", rewrite(4, func(r *failover.Record) { r.CarryOn = time.Minute }), []int{3}},
		{"a run claimed anew by another process", func(all []memory.Commit) {
			rewrite(4, func(r *failover.Record) { r.CarryOn = time.Minute })(all)
			rewrite(7, func(r *failover.Record) { r.CarryOn, r.Attempt = time.Minute, 1 })(all)
		}, []int{1, 2}},
		{"a run claimed anew that may not be", reclaim(0), []int{1}},
		{"a run claimed anew", reclaim(time.Minute), nil},
		{"a run claimed anew, and the session before lives", func(all []memory.Commit) { reclaim(time.Minute)(all); all[5].Do = nil }, nil},
		{"a run claimed anew by who has it", func(all []memory.Commit) {
			rewrite(4, func(r *failover.Record) { r.CarryOn = time.Minute })(all)
			claimed, _ := failover.Decode(all[4].Do[0].Value)
			all[7].Client, all[8].Client = "a", "a"
			all[5].Do = nil
			all[7].Do = []store.Op{store.Set("runs/job/0", claimed.Reclaim("a@1").Encode())}
			all[8].Do = nil
		}, []int{1}},
		{"an end with another trace than its claim", rewrite(7, func(r *failover.Record) {
			r.Trace = failover.Trace{ID: [16]byte{1}, Span: [8]byte{2}}
		}), []int{3}},
		{"a record removed while it runs", func(all []memory.Commit) { all[8].Do = []store.Op{store.Delete("runs/job/0")} }, []int{2, 4}},
		{"a fire that a change of the job begins", change(func(s *layout.Spec) { s.Misfire = failover.MisfireAll }), []int{2}},
		{"a fire from before a change that decides nothing", change(func(s *layout.Spec) { s.MaxAttempts = 5 }), nil},
		{"a key that nobody knows", func(all []memory.Commit) { all[8].Do = []store.Op{store.Create("leader/job", nil)} }, []int{8}},
	} {
		all := story()
		row.doctor(all)
		if found, report := audited(all); !slices.Equal(found, row.want) {
			t.Errorf("%s: got invariants %v, want %v:\n%s", row.name, found, row.want, report)
		}
	}
}
