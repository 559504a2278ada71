package layout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

var spec = Spec{
	Description: "the nightly one", Schedule: "0 0 3 * * ?", TimeZone: "Europe/Berlin", Shards: 3, Parameter: "p", ShardParameters: map[int]string{1: "x"},
	Sharding: "sticky", Failover: true, MaxAttempts: 3, Misfire: failover.MisfireSkip, MisfireWindow: Duration(time.Minute), Overlap: failover.OverlapQueue,
	Timeout: Duration(
		90 * time.Second,
	), Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Resharded: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
}

// inStore returns the document of a job with a spec.
func inStore(s Spec) []byte { return NewJob(s, changed).Encode() }

func TestDocumentsReadAsTheyWereWritten(t *testing.T) {
	got, err := DecodeSpec(inStore(spec))
	if err != nil || !got.Same(spec) || !got.Since.Equal(spec.Since) || !got.Resharded.Equal(spec.Resharded) {
		t.Errorf("spec: got %+v, %v; want %+v", got, err, spec)
	}
	i := Instance{
		Name:    "a",
		Host:    "h",
		PID:     7,
		Weight:  2,
		State:   Draining,
		Sets:    []string{JobSet{}.Hash()},
		Level:   Level,
		Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if got, err := DecodeInstance(i.Encode()); err != nil || !got.Equal(i) {
		t.Errorf("instance: got %+v, %v; want %+v", got, err, i)
	}
	a := Assignment{
		Epoch:    9,
		Strategy: "sticky",
		Owners:   []string{"b@2", "a@1", "b@2"},
		Surplus:  5,
		Fences:   946684815000,
		Triggers: 946684815007,
	}
	if got, err := DecodeAssignment(a.Encode()); err != nil || got.Epoch != 9 || got.Surplus != 5 ||
		got.Fences != a.Fences ||
		got.Triggers != a.Triggers ||
		got.Strategy != "sticky" ||
		!slices.Equal(got.Owners, a.Owners) {
		t.Errorf("assignment: got %+v, %v; want %+v", got, err, a)
	}
}

// What is stored outlives the program that wrote it: a change here is a change
// of the format.
func TestDocumentsAreStoredLikeThis(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"description":"the nightly one","schedule":"0 0 3 * * ?","timeZone":"Europe/Berlin","shards":3,"parameter":"p","shardParameters":{"1":"x"},"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"skip","misfireWindow":"1m0s","overlap":"queue","timeout":"1m30s","resharded":"2026-01-02T03:04:05Z","since":"2026-01-02T03:04:05Z"}`: spec.encode(),
		`{"v":1,"epoch":2,"strategy":"average","shards":3,"instances":["a@1","b@2"],"owners":[1,0,1]}`:                                      Assignment{Epoch: 2, Strategy: "average", Owners: []string{"b@2", "a@1", "b@2"}}.Encode(),
		`{"v":1,"epoch":3,"strategy":"average","shards":1,"instances":["a@1"],"owners":[0],"surplus":2,"fences":7}`:                         Assignment{Epoch: 3, Strategy: "average", Owners: []string{"a@1"}, Surplus: 2, Fences: 7}.Encode(),
		`{"v":2,"name":"a","weight":1,"state":"up","sets":["000102030405060708090a0b0c0d0e0f"],"level":1,"started":"2026-01-01T00:00:00Z"}`: Instance{Name: "a", Weight: 1, State: Up, Sets: []string{"000102030405060708090a0b0c0d0e0f"}, Level: 1, Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}.Encode(),
	} {
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Whatever the clocks show, a raised floor is above all fences that could be
// given before, and what was raised can be stored and read.
func TestFences_RaisedAboveAllGiven(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := Assignment{Strategy: "sticky", Owners: []string{"a@1"}}
	for _, at := range []time.Time{now, now.Add(-failover.MaxSkew), now.Add(time.Hour), now, time.Unix(0, 0), now.Add(-24 * time.Hour), now.Add(24 * time.Hour)} {
		before, floor := a.Ceiling(), a.Fences
		a.RaiseFences(at, 0)
		if floor > 0 && a.Fences < before {
			t.Errorf("raised to %d at %s: want at least %d", a.Fences, at, before)
		}
		if clock := uint64(at.UnixMilli()); a.Fences < clock {
			t.Errorf("raised to %d: want at least the time %d", a.Fences, clock)
		}
	}
	a.RaiseFences(now, a.Fences+7_000_000)
	for range 3 {
		if got, err := DecodeAssignment(a.Encode()); err != nil || got.Fences != a.Fences ||
			got.Ceiling() <= got.Fences {
			t.Errorf("got %+v, %v; want the floor %d", got, err, a.Fences)
		}
		a.RaiseFences(now, failover.MaxFence)
	}
}

// Whatever can make another shard do a piece of the work makes another
// division.
func TestDivision_FollowsParameters(t *testing.T) {
	specs := map[string]Spec{
		"none": {}, "one": {Parameter: "a"}, "another": {Parameter: "b"}, "of shards": {ShardParameters: map[int]string{0: "a", 1: "b"}},
		"exchanged": {
			ShardParameters: map[int]string{0: "b", 1: "a"},
		}, "moved": {ShardParameters: map[int]string{0: "a", 2: "b"}},
		"both": {
			Parameter:       "a",
			ShardParameters: map[int]string{0: "a", 1: "b"},
		}, "one shard's": {ShardParameters: map[int]string{0: "a"}},
	}
	seen := map[string]string{}
	for name, s := range specs {
		d := s.Division()
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have the division %q", name, other, d)
		}
		seen[d] = name
		if again := s.Division(); again != d {
			t.Errorf("%s has the divisions %q and %q", name, d, again)
		}
	}
}

func TestDocumentsThatAreNotOursAreRefused(t *testing.T) {
	for _, text := range []string{"", "null", "{}", "[]", "hello", `{"v":2}`, `{"v":3}`, `{"v":1`, `{"v":"1"}`} {
		if _, err := DecodeSpec([]byte(text)); err == nil {
			t.Errorf("spec %q is accepted", text)
		}
		if _, err := DecodeInstance([]byte(text)); err == nil {
			t.Errorf("instance %q is accepted", text)
		}
		if _, err := DecodeAssignment([]byte(text)); err == nil && text != "" {
			t.Errorf("assignment %q is accepted", text)
		}
	}
	for _, text := range []string{
		`{"v":1,"shards":2,"instances":["a"],"owners":[0]}`, `{"v":1,"shards":1,"instances":["a"],"owners":[1]}`, `{"v":1,"shards":1,"instances":["a"],"owners":[-1]}`,
		`{"v":1,"shards":0,"instances":[],"owners":[],"surplus":-1}`, `{"v":1,"shards":0,"instances":[],"owners":[],"fences":9223372036854775807}`, `{"v":1,"shards":0,"instances":[],"owners":[],"surplus":99999999}`,
	} {
		if _, err := DecodeAssignment([]byte(text)); err == nil {
			t.Errorf("assignment %s is accepted", text)
		}
	}
	unknown := strings.Replace(string(inStore(spec)), `"shards"`, `"priority":1,"shards"`, 1)
	if _, err := DecodeSpec([]byte(unknown)); err == nil || !strings.Contains(err.Error(), "priority") {
		t.Errorf("a spec with an unknown field: %v, want an error that names it", err)
	}
}

// What decides about fires of the past counts from the change on; what leaves
// the past as it is stays in force.
func TestReplaces_Since(t *testing.T) {
	now := spec.Since.Add(50 * time.Hour)
	with := func(change func(*Spec)) (s Spec) {
		s = spec
		change(&s)
		return s
	}
	for name, row := range map[string]struct {
		next             Spec
		since, resharded time.Time
	}{
		"another parameter":   {with(func(s *Spec) { s.Parameter = "other" }), spec.Since, spec.Resharded},
		"another schedule":    {with(func(s *Spec) { s.Schedule = "0 0 4 * * ?" }), now, spec.Resharded},
		"other shards":        {with(func(s *Spec) { s.Shards = 9 }), spec.Since, now},
		"disabled":            {with(func(s *Spec) { s.Disabled = true }), now, spec.Resharded},
		"another misfire":     {with(func(s *Spec) { s.Misfire = failover.MisfireAll }), now, spec.Resharded},
		"another window":      {with(func(s *Spec) { s.MisfireWindow = Duration(7 * time.Hour) }), now, spec.Resharded},
		"other labels":        {with(func(s *Spec) { s.Requires = map[string]string{"zone": "east"} }), now, spec.Resharded},
		"another strategy":    {with(func(s *Spec) { s.Sharding = "odevity" }), now, spec.Resharded},
		"an end to come":      {with(func(s *Spec) { s.End = now.Add(time.Hour) }), spec.Since, spec.Resharded},
		"an end that is past": {with(func(s *Spec) { s.End = now.Add(-25 * time.Hour) }), now, spec.Resharded},
		"an exception":        {with(func(s *Spec) { s.Except = []string{"12-25"} }), spec.Since, spec.Resharded},
	} {
		got := row.next.Replaces(spec, now)
		if !got.Since.Equal(row.since) || !got.Resharded.Equal(row.resharded) {
			t.Errorf(
				"%s: in force since %s and %s, want %s and %s",
				name,
				got.Since,
				got.Resharded,
				row.since,
				row.resharded,
			)
		}
	}
	broken := with(func(s *Spec) { s.Since = now.Add(time.Hour) })
	if got := spec.Replaces(broken, now); !got.Since.Equal(now) {
		t.Errorf("a time that a clock wrote which was ahead stays: %s", got.Since)
	}
}

// Each enabling is later than those before it, whatever clocks show: triggers
// name the last that came before them.
func TestReplaces_Enabled(t *testing.T) {
	at := spec.Since
	disabled, shard := spec, spec
	disabled.Disabled = true
	shard.DisabledShards = []int{1}
	s := disabled.Replaces(spec, at)
	if !s.LastEnabled().IsZero() {
		t.Errorf("enabled at %s before it ever was", s.LastEnabled())
	}
	first := spec.Replaces(s, at)
	second := spec.Replaces(shard.Replaces(first, at), at.Add(-time.Hour))
	if !first.Enabled.Equal(at) || !second.EnabledSince(1).After(first.Enabled) {
		t.Errorf("enabled at %s, and then a shard at %s", first.Enabled, second.EnabledSince(1))
	}
	if !second.EnabledSince(0).Equal(first.Enabled) || !second.LastEnabled().Equal(second.EnabledSince(1)) {
		t.Errorf("shard 0 at %s, the last at %s", second.EnabledSince(0), second.LastEnabled())
	}
}

func TestKeysNameTheirShard(t *testing.T) {
	if n, err := ShardOf(RunKey("job", 12)); n != 12 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, key := range []string{"runs/job/x", "runs/job/-1", "runs/job/01", "runs/job/", "runs/job/1x", "runs/a/job/1", "runs/1", "runs//1", "job/1", "x/runs/job/1", "runs/job/1/2"} {
		if _, err := ShardOf(key); err == nil {
			t.Errorf("%s is accepted", key)
		}
	}
	id := InstanceID("web-1", "k3")
	if name, ok := NameOf(Instances, InstanceKey(id)); InstanceName(id) != "web-1" || name != id || !ok {
		t.Errorf("instance %s", id)
	}
	for _, key := range []string{"jobs", "jobs/", "jobs/a/b", "jobs//b", "jobsx/b", "assignments/b", "x/jobs/b"} {
		if name, ok := NameOf(Jobs, key); ok {
			t.Errorf("%s is taken for the key of job %s", key, name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(inStore(spec))
	f.Add(Assignment{Epoch: 2, Strategy: "average", Owners: []string{"b@2", "a@1"}}.Encode())
	f.Add(Instance{Name: "a", Weight: 1, State: Up, Sets: []string{JobSet{}.Hash()}, Level: 1}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := DecodeSpec(b); err == nil {
			if _, err := DecodeSpec(inStore(s)); err != nil {
				t.Errorf("spec %s was accepted, and written again it is not: %v", b, err)
			}
		}
		if a, err := DecodeAssignment(b); err == nil {
			if again, err := DecodeAssignment(a.Encode()); err != nil || !slices.Equal(again.Owners, a.Owners) {
				t.Errorf("assignment %s: %v", b, err)
			}
		}
		if i, err := DecodeInstance(b); err == nil {
			if _, err := DecodeInstance(i.Encode()); err != nil {
				t.Errorf("instance %s: %v", b, err)
			}
		}
	})
}
