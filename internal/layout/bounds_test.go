package layout

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// farOff are clocks that a machine should not show, and may.
var farOff = []time.Time{
	{},
	time.Unix(1<<62, 0),
	time.Unix(math.MaxInt64, 0),
	time.Unix(math.MinInt64, 0),
	time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -5*3600)),
	time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
}

// Whatever a clock shows, no document panics, and each can be read again.
func TestEncode_AnyClock(t *testing.T) {
	for _, at := range farOff {
		s := spec.From(at)
		s.EnabledShards = EnabledShards{1: at}
		if _, err := DecodeSpec(inStore(s)); err != nil {
			t.Errorf("%v: spec: %v", at, err)
		}
		i := Instance{Name: "a", Weight: 1, State: Up, Level: 1, Started: at}
		if _, err := DecodeInstance(i.Encode()); err != nil {
			t.Errorf("%v: instance: %v", at, err)
		}
		a := Assignment{
			Epoch:    math.MaxUint64,
			Strategy: "sticky",
			Owners:   []string{"a@1"},
			Grown:    at,
			Fences:   maxFences,
		}
		a.RaiseFences(at, 0)
		if _, err := DecodeAssignment(a.Encode()); err != nil {
			t.Errorf("%v: assignment: %v", at, err)
		}
		signal, _, err := Signal{}.Add(failover.Trigger{By: "a@1", At: at, Resharded: at})
		if err != nil {
			t.Errorf("%v: trigger: %v", at, err)
		}
		if _, err := DecodeSignal(signal.Encode()); err != nil && !at.IsZero() {
			t.Errorf("%v: signals: %v", at, err)
		}
	}
}

// A stored time outside the years 1 to 9999 in UTC makes its document
// unreadable: it could not be written again.
func TestDecode_YearsAreBounded(t *testing.T) {
	for _, at := range []string{"9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+05:00", "0000-01-01T00:00:00Z"} {
		const good = "2020-01-01T00:00:00Z"
		const head = `{"v":2,"state":"job","rev":1,"changed":` +
			`{"by":"li","at":"2020-01-01T00:00:00Z","via":"cli"},"spec":`
		for _, text := range []string{
			head + `{"schedule":"@daily","shards":2,"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"once","overlap":"queue","start":"X","resharded":"` + good + `","since":"` + good + `"}}`,
			head + `{"schedule":"@daily","shards":2,"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"once","overlap":"queue","end":"X","resharded":"` + good + `","since":"` + good + `"}}`,
			head + `{"schedule":"@daily","shards":2,"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"once","overlap":"queue","resharded":"X","since":"` + good + `"}}`,
			head + `{"schedule":"@daily","shards":2,"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"once","overlap":"queue","resharded":"` + good + `","since":"X"}}`,
			head + `{"schedule":"@daily","shards":2,"sharding":"sticky","failover":true,"maxAttempts":3,"misfire":"once","overlap":"queue","enabledShards":[{"since":"X","shards":[1]}],"resharded":"` + good + `","since":"` + good + `"}}`,
		} {
			if _, err := DecodeSpec([]byte(strings.Replace(text, "X", at, 1))); err == nil ||
				!strings.Contains(err.Error(), "years 1 to 9999") {
				t.Errorf("%s in %s: got %v", at, text, err)
			}
			if _, err := DecodeSpec([]byte(strings.Replace(text, "X", good, 1))); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		for _, text := range []string{
			`{"v":1,"triggers":[{"seq":1,"by":"x","at":"X","resharded":"2020-01-01T00:00:00Z"}]}`,
			`{"v":1,"triggers":[{"seq":1,"by":"x","at":"2020-01-01T00:00:00Z","resharded":"X"}]}`,
		} {
			if _, err := DecodeSignal([]byte(strings.Replace(text, "X", at, 1))); err == nil {
				t.Errorf("%s in %s is accepted", at, text)
			}
		}
		grown := `{"v":1,"epoch":1,"strategy":"sticky","shards":1,"instances":["g@1"],"owners":[0],"grown":"X"}`
		if _, err := DecodeAssignment([]byte(strings.Replace(grown, "X", at, 1))); err == nil {
			t.Errorf("%s in %s is accepted", at, grown)
		}
		text := `{"v":2,"name":"a","weight":1,"state":"up","sets":[],"level":1,"started":"` + at + `"}`
		if _, err := DecodeInstance([]byte(text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// What could not be written again is not read: the next change of it would
// leave a document that no instance reads.
func TestDecode_BoundsAreThoseOfWriting(t *testing.T) {
	assignment := func(change, to string) string {
		return strings.Replace(
			`{"v":1,"epoch":1,"strategy":"sticky","shards":1,"instances":["g@1"],"owners":[0]}`,
			change,
			to,
			1,
		)
	}
	for _, text := range []string{
		assignment(`"shards":1,"instances":["g@1"],"owners":[0]`, `"shards":10001,"instances":["g@1"],"owners":[`+strings.Repeat("0,", 10000)+`0]`),
		assignment(`"epoch":1`, `"epoch":18446744073709551615`),
		assignment(`"epoch":1`, `"epoch":1,"fences":2305843009213693953`),
		assignment(`"epoch":1`, `"epoch":1,"triggers":4611686018427387905`),
		assignment(`"g@1"`, `"a/b"`), assignment(`"g@1"`, `""`), assignment(`"sticky"`, `"a b"`), assignment(`"g@1"`, "\"\xd6\xd0\""),
	} {
		if a, err := DecodeAssignment([]byte(text)); err == nil {
			t.Errorf("%.100s is accepted as %+v", text, a.Epoch)
		}
	}
	trigger := func(change, to string) string {
		return strings.Replace(
			`{"v":1,"triggers":[{"seq":1,"by":"x","at":"2020-01-01T00:00:00Z","shards":"0-1","resharded":"2020-01-01T00:00:00Z"}]}`,
			change,
			to,
			1,
		)
	}
	if _, err := DecodeSignal([]byte(trigger("", ""))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		trigger(`"0-1"`, `"1,0"`), trigger(`"0-1"`, `"-1"`), trigger(`"0-1"`, `"10000"`), trigger(`"0-1"`, `"0,1"`), trigger(`"x"`, `"a/b"`), trigger(`"x"`, `""`),
		trigger(`"by"`, `"parameter":"`+strings.Repeat("x", 4097)+`","by"`), trigger(`"seq":1`, `"seq":4611686018427387905`),
	} {
		if _, err := DecodeSignal([]byte(text)); err == nil {
			t.Errorf("%.100s is accepted", text)
		}
	}
	for _, text := range []string{`"weight":0`, `"weight":1000000000000000000`} {
		if _, err := DecodeInstance([]byte(`{"v":2,"name":"a",` + text + `,"state":"up","sets":[],"level":1,"started":"2020-01-01T00:00:00Z"}`)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	if _, _, err := (Signal{Triggers: []failover.Trigger{{Seq: failover.MaxFence, At: spec.Since}}}).Add(failover.Trigger{By: "a@1", At: spec.Since}); err == nil {
		t.Error("a trigger after the one with the greatest number is accepted")
	}
}

// A spec that is valid fits into the smallest store, whatever the store keeps
// about it beside, and leaves room for documents that wrap it.
func TestSpec_FitsIntoTheSmallestStore(t *testing.T) {
	long := map[string]Spec{}
	wide := spec
	wide.Shards = MaxShards
	grow := func(name string, change func(s *Spec, n int)) {
		fits, over := 0, 1<<20
		for over-fits > 1 {
			n := (fits + over) / 2
			s := wide
			change(&s, n)
			if s.Check() == nil {
				fits = n
			} else {
				over = n
			}
		}
		s := wide
		change(&s, over)
		if err := s.Check(); err == nil || len(err.Error()) > 2000 {
			t.Errorf("%s of %d: got %.200v", name, over, err)
		}
		s = wide
		change(&s, fits)
		long[name] = s
	}
	grow("description", func(s *Spec, n int) { s.Description = strings.Repeat("x", n) })
	grow("escaped description", func(s *Spec, n int) { s.Description = strings.Repeat("\x01", n) })
	grow("exceptions", func(s *Spec, n int) {
		for i := range min(n, 40000) {
			s.Except = append(s.Except, fmt.Sprintf("%04d-%02d-%02d", 2001+i/336, i/28%12+1, i%28+1))
		}
	})
	grow("schedule", func(s *Spec, n int) { s.Schedule = "0 0 " + strings.Repeat("1,", n) + "1 * * ?" })
	grow("labels", func(s *Spec, n int) {
		s.Requires = map[string]string{}
		for i := range min(n, 1000) {
			s.Requires[fmt.Sprint("l", i)] = strings.Repeat("<", 100)
		}
	})
	for name, s := range long {
		old := s
		for shard := range MaxShards { // the worst: each shard at a moment of its own, and none in a row
			old.DisabledShards = append(old.DisabledShards, shard)
		}
		enabled := s.Replaces(old, spec.Since)
		for shard := range MaxShards {
			enabled.EnabledShards[shard] = spec.Since.Add(time.Duration(shard%997) * time.Nanosecond)
		}
		if n := len(enabled.encode()); n > MaxSpec {
			t.Errorf("%s: the job takes %d bytes, want at most %d", name, n, MaxSpec)
		}
		if _, err := DecodeSpec(inStore(enabled)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// XML in parameters takes as many bytes as it has: all 64 KiB that a job's
// parameters may have can be stored.
func TestSpec_XMLInParameters(t *testing.T) {
	s := spec
	s.Shards, s.Parameter, s.ShardParameters = 16, "", map[int]string{}
	for i := range 16 {
		s.ShardParameters[i] = strings.Repeat("<a>&</a>", 512)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	got, err := DecodeSpec(inStore(s))
	if err != nil || got.ShardParameters[7] != s.ShardParameters[7] || len(inStore(s)) > 80<<10 {
		t.Errorf("%d bytes: %v", len(inStore(s)), err)
	}
}

// Text that is not UTF-8 would come back changed, so it is refused.
func TestSpec_TextIsUTF8(t *testing.T) {
	const gbk = "\xd6\xd0\xce\xc4"
	for field, change := range map[string]func(*Spec){
		"description":      func(s *Spec) { s.Description = gbk },
		"schedule":         func(s *Spec) { s.Schedule = gbk },
		"after":            func(s *Spec) { s.Schedule, s.After = "", []string{gbk} },
		"time zone":        func(s *Spec) { s.TimeZone = gbk },
		"parameter":        func(s *Spec) { s.Parameter = gbk },
		"shard parameters": func(s *Spec) { s.ShardParameters = map[int]string{0: gbk} },
		"sharding":         func(s *Spec) { s.Sharding = gbk },
		"requires":         func(s *Spec) { s.Requires = map[string]string{"zone": gbk} },
	} {
		s := spec
		change(&s)
		var fault *faults.Fault
		if err := s.Check(); !errors.As(err, &fault) || fault.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	s := spec
	s.Except = []string{gbk}
	if s.Check() == nil {
		t.Error("except is accepted")
	}
	if _, _, err := (Signal{}).Add(failover.Trigger{By: "a@1", At: spec.Since, Parameter: gbk}); err == nil {
		t.Error("the parameter of a trigger is accepted")
	}
}

// What twenty triggers may hold together is bounded by what a store takes.
func TestSignal_FitsIntoTheSmallestStore(t *testing.T) {
	var s Signal
	var all []int
	for shard := range MaxShards {
		all = append(all, shard)
	}
	for n := range MaxTriggers {
		next, _, err := s.Add(failover.Trigger{By: "a@1", At: spec.Since, Shards: all})
		if err != nil {
			if n < 4 || !strings.Contains(err.Error(), "wait until some have begun, or name fewer shards") {
				t.Errorf("trigger %d: %v", n, err)
			}
			break
		}
		s = next
	}
	if _, err := DecodeSignal(s.Encode()); err != nil || len(s.Encode()) > MaxDocument {
		t.Errorf("%d triggers take %d bytes: %v", len(s.Triggers), len(s.Encode()), err)
	}
}
