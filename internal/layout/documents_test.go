package layout

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

var (
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	changed = Changed{By: "li", At: noon, Via: ViaCLI, Why: "INC-4711", Op: "0190a1b2-0000-7000-8000-000000000000"}
)

// documents are one of each kind, and how it is read and written again.
var documents = map[string]struct {
	stored []byte
	again  func([]byte) ([]byte, error)
}{
	"job":       {NewJob(spec, changed).Encode(), rewrite(DecodeJob)},
	"tombstone": {NewJob(spec, changed).Removed(&Assignment{Fences: 7}, changed).Encode(), rewrite(DecodeJob)},
	"moved":     {Job{State: JobMoved, Rev: 3, Changed: changed}.Encode(), rewrite(DecodeJob)},
	"cordon": {
		Cordon{MatchHost, ActionDrain, changed}.Encode(),
		rewrite(func(b []byte) (Cordon, error) { return DecodeCordon("host-1", b) }),
	},
	"heartbeat": {
		Heartbeat{
			Count:   7,
			Clock:   noon,
			Version: "v1.2.3",
			Running: 1,
			Held:    2,
			Owned:   3,
			Stuck:   4,
			Lag:     Duration(time.Second),
			Dropped: 5,
			Trouble: "x",
		}.Encode(),
		rewrite(DecodeHeartbeat),
	},
	"clock": {Clock{noon, 7}.Encode(), rewrite(DecodeClock)},
	"signals": {
		Signal{
			Triggers: []failover.Trigger{{Seq: 1, By: "a@1", At: noon, Shards: []int{0, 1, 5}}},
			Cancels: []Cancel{
				{
					Seq:    1,
					Shards: Shards{0, 1, 2, 7},
					Fire:   noon,
					By:     "li",
					At:     noon,
					Why:    "late",
				},
				{Seq: 2, Trigger: 9, By: "li", At: noon},
			},
		}.Encode(),
		rewrite(DecodeSignal),
	},
	"audit": {
		Audit{
			Act:     "disable",
			Target:  "report",
			Changed: changed,
			Rev:     2,
			Changes: []Change{{"disabled", "false", "true"}},
		}.Encode(),
		rewrite(DecodeAudit),
	},
}

func rewrite[T interface{ Encode() []byte }](decode func([]byte) (T, error)) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		doc, err := decode(b)
		if err != nil {
			return nil, err
		}
		return doc.Encode(), nil
	}
}

func TestDocuments_ReadAsWritten(t *testing.T) {
	for name, d := range documents {
		if again, err := d.again(d.stored); err != nil || !bytes.Equal(again, d.stored) {
			t.Errorf("%s: %s was written again as %s, %v", name, d.stored, again, err)
		}
	}
}

// What is stored outlives the program that wrote it: a change here is a change
// of the format.
func TestDocuments_Format(t *testing.T) {
	const who = `"changed":{"by":"li","at":"2026-01-02T12:00:00Z","via":"cli","why":"INC-4711","op":"0190a1b2-0000-7000-8000-000000000000"}`
	want := map[string]string{
		"moved":     `{"v":2,"state":"moved","rev":3,` + who + `}`,
		"cordon":    `{"v":1,"match":"host","action":"drain",` + who + `}`,
		"heartbeat": `{"v":1,"count":7,"clock":"2026-01-02T12:00:00Z","version":"v1.2.3","running":1,"held":2,"owned":3,"stuck":4,"lag":"1s","dropped":5,"trouble":"x"}`,
		"clock":     `{"v":1,"clock":"2026-01-02T12:00:00Z","count":7}`,
		"signals": `{"v":1,"triggers":[{"seq":1,"by":"a@1","at":"2026-01-02T12:00:00Z","shards":"0-1,5","resharded":"0001-01-01T00:00:00Z"}],` +
			`"cancels":[{"seq":1,"shards":"0-2,7","fire":"2026-01-02T12:00:00Z","by":"li","at":"2026-01-02T12:00:00Z","why":"late"},{"seq":2,"trigger":9,"by":"li","at":"2026-01-02T12:00:00Z"}]}`,
		"audit": `{"v":1,"act":"disable","target":"report",` + who + `,"rev":2,"changes":[{"field":"disabled","old":"false","new":"true"}]}`,
	}
	for name, text := range want {
		if got := string(documents[name].stored); got != text {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, text)
		}
	}
	if got := string(documents["job"].stored); !strings.HasPrefix(
		got,
		`{"v":2,"state":"job","rev":1,`+who+`,"spec":{"description":"the nightly one"`,
	) {
		t.Errorf("job: got %s", got)
	}
}

// A field that a reader does not know is refused where the document is written
// again, or acted on as a whole.
func TestDocuments_UnknownField(t *testing.T) {
	lenient := []string{"heartbeat", "clock", "audit"}
	for name, d := range documents {
		more := strings.Replace(string(d.stored), `"v":`, `"later":1,"v":`, 1)
		_, err := d.again([]byte(more))
		if accepted := err == nil; accepted != slices.Contains(lenient, name) {
			t.Errorf("%s with an unknown field: %v", name, err)
		}
		for _, text := range []string{"", "null", "{}", "[]", `{"v":9}`, string(d.stored) + "{}", string(d.stored[:len(d.stored)/2]), "\xff"} {
			if _, err := d.again([]byte(text)); err == nil {
				t.Errorf("%s %q is accepted", name, text)
			}
		}
	}
}

// A document of version 1 is named, so that its reader knows why it is left
// alone.
func TestJob_VersionOneIsNamed(t *testing.T) {
	if _, err := DecodeJob([]byte(`{"v":1,"schedule":"@daily","shards":1}`)); err == nil ||
		!strings.Contains(err.Error(), "version 1") {
		t.Errorf("got %v, want an error that names version 1", err)
	}
}

func TestDecodeJob_Refuses(t *testing.T) {
	good := string(NewJob(spec, changed).Encode())
	for name, change := range map[string][2]string{
		"an unknown state":      {`"state":"job"`, `"state":"gone"`},
		"no revision":           {`"rev":1`, `"rev":0`},
		"a great floor":         {`"rev":1`, `"rev":1,"fences":4611686018427387904`},
		"no author":             {`"by":"li"`, `"by":""`},
		"no time":               {`"at":"2026-01-02T12:00:00Z"`, `"at":"0001-01-01T00:00:00Z"`},
		"an unknown way":        {`"via":"cli"`, `"via":"mail"`},
		"a long reason":         {`INC-4711`, strings.Repeat("x", MaxWhy+1)},
		"an op with a slash":    {`0190a1b2-`, `0190a1b2/`},
		"a spec that is wrong":  {`"shards":3`, `"shards":-1`},
		"a field inside a spec": {`"shards":3`, `"shards":3,"priority":1`},
		"no spec":               {good[strings.Index(good, `,"spec"`):], `}`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := DecodeJob([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A tombstone keeps the spec, and a floor above all fences of the job: a job
// that is restored has greater ones.
func TestJob_RemovedKeepsFences(t *testing.T) {
	last := Assignment{Fences: uint64(noon.Add(time.Hour).UnixMilli())}
	j := NewJob(spec, changed).With(spec, changed).Removed(&last, changed)
	if j.Rev != 3 || j.Here() != nil || j.Spec == nil || j.Fences < last.Ceiling() {
		t.Errorf("got revision %d with the floor %d, want 3 and at least %d", j.Rev, j.Fences, last.Ceiling())
	}
	again := j.With(spec, changed)
	if again.Fences != j.Fences || again.Here() == nil || again.Rev != 4 {
		t.Errorf("restored with the floor %d, want %d", again.Fences, j.Fences)
	}
	if once := j.Removed(nil, changed); once.Fences < j.Fences {
		t.Errorf("removed again with the floor %d, want at least %d", once.Fences, j.Fences)
	}
	if got, err := DecodeJob(j.Encode()); err != nil || !got.Same(j) ||
		!got.Same(Job{State: JobRemoved, Spec: j.Spec, Fences: j.Fences}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRevision_LastEight(t *testing.T) {
	keys := map[string]int{}
	for rev := uint64(1); rev <= 20; rev++ {
		key, value, exists := Job{State: JobPresent, Rev: rev, Changed: changed, Spec: &spec}.Replaced("report")
		if exists != (keys[key] > 0) {
			t.Errorf("revision %d: a Set is %t, and the key was written %d times", rev, exists, keys[key])
		}
		if keys[key]++; KindOf(key) == nil {
			t.Errorf("%s is not a key", key)
		}
		if _, err := DecodeJob(value); err != nil {
			t.Error(err)
		}
	}
	if len(keys) != 8 {
		t.Errorf("got %d keys, want 8", len(keys))
	}
}

func TestShards_Ranges(t *testing.T) {
	for want, shards := range map[string]Shards{"0": {0}, "0-1": {0, 1}, "0-2,5,7-8": {8, 7, 0, 1, 2, 2, 5}} {
		text, err := shards.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("%v: got %s, %v; want %s", shards, text, err, want)
		}
		var again Shards
		if err := again.UnmarshalText(text); err != nil ||
			!slices.Equal(again, slices.Compact(slices.Sorted(slices.Values(shards)))) {
			t.Errorf("%s: got %v, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "1-", "2-1", "1-1", "0,1", "0-5,6", "5,0", "10000", "0-10000", "01", " 1", "0-9999999999999999999"} {
		var s Shards
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted as %v", text, s)
		}
	}
}

// Twenty cancels of ten thousand shards fit; what does not fit is refused
// before it is written.
func TestSignal_CancelsAreBounded(t *testing.T) {
	every := make(Shards, MaxShards)
	for i := range every {
		every[i] = i
	}
	var s Signal
	var err error
	for range MaxCancels {
		if s, _, err = s.AddCancel(Cancel{Shards: every, Fire: noon, By: "li", At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.AddCancel(Cancel{Trigger: 3, By: "li", At: noon}); err == nil {
		t.Error("one more than there may be is accepted")
	}
	if n := len(s.Encode()); n > 4<<10 {
		t.Errorf("%d cancels take %d bytes", MaxCancels, n)
	}
	for name, c := range map[string]Cancel{
		"neither fire nor trigger": {By: "li", At: noon},
		"both":                     {By: "li", At: noon, Fire: noon, Trigger: 1},
		"no author":                {At: noon, Fire: noon},
		"no time":                  {By: "li", Fire: noon},
		"a shard that is not":      {By: "li", At: noon, Fire: noon, Shards: Shards{MaxShards}},
	} {
		if _, _, err := (Signal{}).AddCancel(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	odd := Shards{}
	for i := 0; i < MaxShards; i += 2 {
		odd = append(odd, i)
	}
	s = Signal{}
	for err == nil && len(s.Cancels) < MaxCancels {
		s, _, err = s.AddCancel(Cancel{Shards: odd, Fire: noon, By: "li", At: noon})
	}
	if n := len(s.Encode()); n > MaxSignals {
		t.Errorf("%d cancels take %d bytes", len(s.Cancels), n)
	}
}

func TestCancel_NamesOneFire(t *testing.T) {
	fire := Cancel{Fire: noon, Shards: Shards{1, 2}}
	trigger := Cancel{Trigger: 7}
	for _, row := range []struct {
		c       Cancel
		shard   int
		fire    time.Time
		trigger uint64
		want    bool
	}{
		{fire, 1, noon, 0, true},
		{fire, 0, noon, 0, false},
		{fire, 1, noon.Add(1), 0, false},
		{fire, 1, noon, 7, false},
		{trigger, 0, noon, 7, true},
		{trigger, 0, noon, 8, false},
		{trigger, 0, noon, 0, false},
	} {
		if got := row.c.Cancels(row.shard, row.fire, row.trigger); got != row.want {
			t.Errorf("%+v: got %t", row, got)
		}
	}
}

func TestCordon_ActionFitsName(t *testing.T) {
	for _, row := range []struct {
		name   string
		match  Match
		action Action
		good   bool
	}{
		{"web-1", MatchName, ActionCordon, true},
		{"web-1", MatchHost, ActionDrain, true},
		{"web-1@k3", MatchID, ActionLeave, true},
		{Namespace, MatchAll, ActionPause, true},
		{Namespace, MatchAll, ActionNone, true},
		{"web-1", MatchName, ActionLeave, false},
		{"web-1", MatchID, ActionLeave, false},
		{"web-1", MatchAll, ActionPause, false},
		{Namespace, MatchName, ActionCordon, false},
		{Namespace, MatchAll, ActionCordon, false},
		{"web/1", MatchName, ActionCordon, false},
		{"web-1", "", ActionCordon, false},
		{"web-1", MatchName, "stop", false},
	} {
		c := Cordon{row.match, row.action, changed}
		_, err := DecodeCordon(row.name, c.Encode())
		if (err == nil) != row.good || (c.Check(row.name) == nil) != row.good {
			t.Errorf("%+v: %v", row, err)
		}
	}
	i := Instance{Name: "web-1", Host: "h"}
	for name, want := range map[string]bool{"web-1": true, "h": false} {
		if got := (Cordon{Match: MatchName}).Meets(name, "web-1@k", i); got != want {
			t.Errorf("name %s: got %t", name, got)
		}
	}
	if !(Cordon{Match: MatchHost}).Meets("h", "web-1@k", i) ||
		!(Cordon{Match: MatchID}).Meets("web-1@k", "web-1@k", i) ||
		(Cordon{Match: MatchAll}).Meets(Namespace, "web-1@k", i) {
		t.Error("host, ID or namespace")
	}
}

// An entry of the audit keeps as many changes as it has room for.
func TestAudit_Bounded(t *testing.T) {
	a := Audit{Act: "apply", Target: "report", Changed: changed, Saved: strings.Repeat("\x01", maxSaved)}
	for i := range 100 {
		a.Changes = append(a.Changes, Change{fmt.Sprint(i), "", strings.Repeat("x", 100)})
	}
	b := a.Encode()
	got, err := DecodeAudit(b)
	if err != nil || len(b) > MaxAudit || len(got.Changes) == 0 || len(got.Changes)+got.Omitted != 100 ||
		got.Changes[0] != a.Changes[0] {
		t.Errorf("%d bytes, %d changes, %d omitted, %v", len(b), len(got.Changes), got.Omitted, err)
	}
}

// A heartbeat has room for any trouble, whole characters of it.
func TestHeartbeat_ClipsTrouble(t *testing.T) {
	h := Heartbeat{Clock: noon, Trouble: strings.Repeat("é", MaxTrouble), Version: "v\xff"}
	got, err := DecodeHeartbeat(h.Encode())
	if err != nil || got.Trouble != strings.Repeat("é", MaxTrouble/2) {
		t.Errorf("got %q, %v", got.Trouble, err)
	}
}

func FuzzDocuments(f *testing.F) {
	for _, d := range documents {
		f.Add(d.stored)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, d := range documents {
			once, err := d.again(b)
			if err != nil {
				continue
			}
			twice, err := d.again(once)
			if err != nil {
				t.Errorf("%s %s was accepted, and written again it is not: %v", name, b, err)
			}
			if !reflect.DeepEqual(once, twice) {
				t.Errorf("%s %s is written as %s, and that as %s", name, b, once, twice)
			}
		}
	})
}

// An instance with many labels and sets stays below its bound, or is refused
// before it is written.
func TestInstance_KeyIsSmall(t *testing.T) {
	i := Instance{
		Name:   strings.Repeat("n", MaxName),
		Host:   strings.Repeat("h", 64),
		Weight: 1,
		State:  Up,
		Level:  Level,
		Labels: map[string]string{},
	}
	for n := range MaxLabels {
		if err := i.Check(); err != nil {
			if n < 10 {
				t.Errorf("%d labels of 100 bytes: %v", n, err)
			}
			return
		}
		full := i
		full.Sets = slices.Repeat([]string{JobSet{}.Hash()}, MaxSets)
		if size := len(full.Encode()); size > MaxInstance {
			t.Fatalf("%d labels take %d bytes", n, size)
		}
		i.Labels[fmt.Sprint("label", n)] = strings.Repeat("x", MaxName)
	}
	t.Errorf("%d labels of %d bytes are accepted", MaxLabels, MaxName)
}
