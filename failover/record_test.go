package failover

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// What is stored is read by other versions of this package, and by people. The
// lines are what those see.
func TestRecord_StoredForm(t *testing.T) {
	zone := time.FixedZone("", 3600)
	failed := idle("10:00:00").Begin(at("10:00:10"), other, at("10:00:10.25")).
		TakeOver(me, at("10:00:40")).
		Complete(ResultFailed, `disk "a" <full>`, at("10:01:00.5"))
	for _, tt := range []struct {
		record Record
		want   string
	}{
		{idle("10:00:00"),
			`{"v":1,"state":"idle","fire":"2027-03-01T10:00:00Z","fence":7,"attempt":1,"started":"2027-03-01T10:00:00Z","ended":"2027-03-01T10:00:01Z","result":"ok"}`},
		{running("10:00:00", other),
			`{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"owner":"b@1","attempt":1,"started":"2027-03-01T10:00:00Z"}`},
		{running("10:00:00", other).HandOver(),
			`{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"attempt":1,"handOvers":1,"started":"2027-03-01T10:00:00Z"}`},
		{running("10:00:00", other).Abandon(at("10:00:30")),
			`{"v":1,"state":"idle","fire":"2027-03-01T10:00:00Z","fence":7,"attempt":1,"started":"2027-03-01T10:00:00Z","ended":"2027-03-01T10:00:30Z","result":"lost","error":"the instance b@1 did not finish it"}`},
		{carrying("10:00:00", other),
			`{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"owner":"b@1","attempt":1,"started":"2027-03-01T10:00:00Z","carryOn":60000}`},
		{failed,
			`{"v":1,"state":"idle","fire":"2027-03-01T10:00:10Z","fence":9,"attempt":2,"started":"2027-03-01T10:00:40Z","ended":"2027-03-01T10:01:00.5Z","result":"failed","error":"disk \"a\" \u003cfull\u003e"}`},
		{idle("10:00:00").Begin(at("10:00:10").In(zone), me, at("10:00:10.25").In(zone)).Complete(ResultSucceeded, "", at("10:00:11").In(zone)),
			`{"v":1,"state":"idle","fire":"2027-03-01T10:00:10Z","fence":8,"attempt":1,"started":"2027-03-01T10:00:10.25Z","ended":"2027-03-01T10:00:11Z","result":"ok"}`},
	} {
		if got := string(tt.record.Encode()); got != tt.want {
			t.Errorf("%v is stored as\ngot  %s\nwant %s", tt.record, got, tt.want)
		}
		got, err := Decode([]byte(tt.want))
		if err != nil || !same(got, tt.record) {
			t.Errorf("%s is read as\ngot  %+v, %v\nwant %+v", tt.want, got, err, tt.record)
		}
	}
}

// same reports whether two records are equal. Their times may be in other
// zones.
func same(a, b Record) bool {
	if !a.Fire.Equal(b.Fire) || !a.Started.Equal(b.Started) || !a.Ended.Equal(b.Ended) {
		return false
	}
	a.Fire, a.Started, a.Ended = b.Fire, b.Started, b.Ended
	return a == b
}

// Every record is read as it was written.
func TestRecord_ReadAsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, r := range reachable() {
		if r.Fence == 0 {
			continue // A shard that never ran has no stored record.
		}
		r.Fence = 1 + rng.Uint64N(MaxFence)>>rng.IntN(62)
		r.Started = r.Started.Add(time.Duration(rng.Int64N(int64(time.Hour))))
		if r.State == StateIdle {
			r.Error = strings.Repeat(pick(rng, "", "x", "ü", `"`, "<", "\u2028", "\x00"), rng.IntN(100))
		}
		got, err := Decode(r.Encode())
		if err != nil || !same(got, r) {
			t.Errorf("%s is read as\ngot  %+v, %v\nwant %+v", r.Encode(), got, err, r)
		}
	}
}

// Decode refuses values that this version did not write.
func TestDecode_Refuses(t *testing.T) {
	const good = `{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"owner":"b@1","attempt":2,"handOvers":1,"started":"2027-03-01T10:00:00Z"}`
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatalf("%s: %v", good, err)
	}
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	traced := func(text string) string { return change(`"fence":7`, `"fence":7,"trace":"`+text+`"`) }
	for _, tt := range []struct {
		name, value string
		want        string // a part of the error
	}{
		{"nothing", "", "not a record"},
		{"garbage", "\x00\xff", "not a record"},
		{"text", "running", "not a record"},
		{"a list", "[]", "not a record"},
		{"null", "null", "version 0"},
		{"an empty document", "{}", "version 0"},
		{"a foreign document", `{"leader":"b","since":12}`, "version 0"},
		{"a foreign document with a version", `{"v":1,"leader":"b"}`, `state ""`},
		{"two records", good + good, "not a record"},
		{"no version", change(`"v":1,`, ``), "version 0"},
		{"a newer version", change(`"v":1`, `"v":2`), "version 2: this program reads version 1"},
		{"an older version", change(`"v":1`, `"v":0`), "version 0"},
		{"an unknown state", change(`running`, `paused`), `state "paused"`},
		{"no state", change(`"state":"running",`, ``), `state ""`},
		{"idle with an owner", change(`running`, `idle`), `owner "b@1"`},
		{"running with a result", change(`"attempt"`, `"result":"ok","attempt"`), `result "ok"`},
		{"no fire", change(`"fire":"2027-03-01T10:00:00Z",`, ``), "without fire"},
		{"a fire that is no time", change(`"2027-03-01T10:00:00Z"`, `"soon"`), "not a record"},
		{"a fire that is a number", change(`"2027-03-01T10:00:00Z"`, `1`), "not a record"},
		{"no fence", change(`"fence":7,`, ``), "without fire or trigger, fence"},
		{"a negative fence", change(`"fence":7`, `"fence":-7`), "not a record"},
		{"a fence beyond 64 bits", change(`"fence":7`, `"fence":18446744073709551616`), "not a record"},
		{"no attempt", change(`"attempt":2,`, ``), "attempt"},
		{"an attempt before the first", change(`"attempt":2,"handOvers":1`, `"attempt":0,"handOvers":0`), "attempt"},
		{"a negative attempt", change(`"attempt":2,"handOvers":1`, `"attempt":-2,"handOvers":-3`), "attempt"},
		{"less than no hand-overs", change(`"handOvers":1`, `"handOvers":-1`), "attempt"},
		{"more hand-overs than attempts", change(`"handOvers":1`, `"handOvers":3`), "attempt"},
		{"as many hand-overs as attempts, and an owner", change(`"handOvers":1`, `"handOvers":2`), "attempts"},
		{"attempts beyond all bounds", change(`"attempt":2`, `"attempt":1073741825`), "attempts"},
		{"an owner that is no ID", change(`"b@1"`, `"a/b"`), "owner"},
		{"an owner of 202 bytes", change(`"b@1"`, `"`+strings.Repeat("b", 202)+`"`), "owner"},
		{"text that is not UTF-8", change(`"b@1"`, "\"\xd6\xd0\""), "UTF-8"},
		{"a time that is in the year 10000 in UTC", change(`"started":"2027-03-01T10:00:00Z"`, `"started":"9999-12-31T23:59:59-05:00"`), "years 1 to 9999"},
		{"a time that is in the year 0 in UTC", change(`"started":"2027-03-01T10:00:00Z"`, `"started":"0001-01-01T00:00:00+05:00"`), "years 1 to 9999"},
		{"a fire that is remembered twice", change(`"fence":7`, `"fence":7,"done":[5,-5]`), "twice"},
		{"a fire beyond all years that is remembered", change(`"fence":7`, `"fence":7,"done":[253402300800]`), "1970 to 9999"},
		{"a result that there is not", change(`"state":"running"`, `"result":"fine","state":"idle"`), "idle record"},
		{"a trace of another form", traced("00-4bf92f35-01"), "a trace of 14 bytes"},
		{"a trace in capital letters", traced(strings.ToUpper(traceText)), "a trace with another character"},
		{"a trace of zeros", traced(strings.Repeat("0", 32) + traceText[32:]), "of zeros"},
		{"a trace that is no text", change(`"fence":7`, `"fence":7,"trace":[1]`), "not a record"},
		{"a parameter that is too long", change(`"fence":7`, `"fence":7,"trigger":1,"manual":{"at":"2027-03-01T10:00:00Z","parameter":"`+strings.Repeat("x", 4097)+`"}`), "4097 bytes"},
	} {
		r, err := Decode([]byte(tt.value))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q\n%s", tt.name, err, tt.want, tt.value)
		}
		if r != (Record{}) {
			t.Errorf("%s: beside the error a record: %v", tt.name, r)
		}
	}
	for n := range len(good) {
		if r, err := Decode([]byte(good[:n])); err == nil {
			t.Errorf("%s is read as %v", good[:n], r)
		}
	}
}

// The instance that ends a run writes the record, and that must not end the
// process: an instance that can't write what it could read would crash again
// and again, and each one that takes the shard over after it.
func TestRecord_ReadableIsWritable(t *testing.T) {
	for _, fire := range []string{"9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z"} {
		for _, field := range []string{"fire", "started", "ended"} {
			value := `{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"owner":"b@1","attempt":1,"started":"2027-03-01T10:00:00Z","ended":"2027-03-01T10:00:00Z"}`
			value = strings.Replace(value, `"`+field+`":"2027-03-01T10:00:00Z"`, `"`+field+`":"`+fire+`"`, 1)
			checkReencodes(t, []byte(value))
		}
	}
}

// checkReencodes fails the test unless what is read can be written, and is then
// read as the same.
func checkReencodes(t *testing.T, b []byte) {
	t.Helper()
	r, err := Decode(b)
	if err != nil {
		return
	}
	again, err := Decode(r.Encode())
	if err != nil || !same(again, r) {
		t.Errorf("%q\nis read as       %+v\nand is stored as %s\nwhich is read as %+v, %v", b, r, r.Encode(), again, err)
	}
	if s := r.String(); s == "" {
		t.Errorf("%q has no text", b)
	}
	for _, next := range steps(r) {
		if _, err := Decode(next.Encode()); err != nil {
			t.Errorf("%q\nbecomes %s\nwhich can't be read: %v", b, next.Encode(), err)
		}
	}
}

// steps returns what Decide makes of a record for its owner, for another
// instance and for one that leaves, by clocks that are right and far off.
func steps(r Record) (list []Record) {
	for _, now := range []time.Time{now, time.Unix(1<<62, 0), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for _, id := range []string{me, other, r.Owner} {
			for _, phase := range []Phase{PhaseNone, PhaseClaiming, PhaseWorking, PhaseFinished, PhaseYielded} {
				if r.Owner == "" && phase != PhaseNone {
					continue // no process has a run of no instance in hand
				}
				v := View{Record: r, Now: now, Me: id, Owned: true, Owner: LivenessDead, Since: MaxCarryOn, Local: Local{Phase: phase, Owner: r.Owner, Fence: r.Fence}}
				v.Trigger = &Trigger{Seq: min(r.Trigger+1, MaxFence), At: now}
				p := policy(nil)
				switch d := Decide(p, v); d.Action {
				case ActionBegin:
					list = append(list, r.Begin(now, me, now), r.BeginTrigger(*v.Trigger, me, now))
				case ActionComplete:
					list = append(list, r.Complete(ResultFailed, "disk \xff full", now), r.Complete(ResultSucceeded, "", now).Follow())
				case ActionHandOver:
					list = append(list, r.HandOver())
				case ActionTakeOver:
					list = append(list, r.TakeOver(me, now))
				case ActionAbandon:
					list = append(list, r.Abandon(now))
				case ActionReclaim:
					list = append(list, r.Reclaim(me))
				}
			}
		}
	}
	return list
}

// Whatever a record holds that is accepted, it can be read after the next step,
// too: no instance replaces a record by one that stops the shard for good.
func TestRecord_CanBeReadAfterEachStep(t *testing.T) {
	const running = `{"v":1,"state":"running","fire":"2027-03-01T10:00:00Z","fence":7,"owner":"b@1","attempt":1,"started":"2027-03-01T10:00:00Z"}`
	const idle = `{"v":1,"state":"idle","fire":"2027-03-01T10:00:00Z","fence":7,"attempt":1,"started":"2027-03-01T10:00:00Z","ended":"2027-03-01T10:00:01Z","result":"ok"}`
	for _, base := range []string{running, idle} {
		for _, change := range [][2]string{
			{`"fence":7`, `"fence":4611686018427387904`}, {`"fence":7`, `"fence":4611686018427387903`}, {`"fence":7`, `"fence":7,"trigger":4611686018427387904`},
			{`"attempt":1`, `"attempt":9223372036854775807`}, {`"attempt":1`, `"attempt":1073741824`}, {`"attempt":1`, `"attempt":1,"handOvers":1`},
			{`"attempt":1`, `"attempt":9223372036854775807,"handOvers":9223372036854775806`},
			{`"owner":"b@1"`, `"owner":"a/b"`}, {`"owner":"b@1",`, ``}, {`"result":"ok"`, `"result":"fine"`},
			{`"fence":7`, `"fence":7,"done":[1,-1]`}, {`"fence":7`, `"fence":7,"done":[-9223372036854775808]`}, {`"fence":7`, `"fence":7,"done":[9223372036854775807]`},
			{`"fire":"2027-03-01T10:00:00Z"`, `"fire":"9999-12-31T23:59:59Z"`}, {`"fire":"2027-03-01T10:00:00Z"`, `"fire":"0001-01-01T00:00:00-01:00"`},
			{`"fence":7`, `"fence":7,"carryOn":86400000`},
			{`"fence":7`, `"fence":7,` + tracePart},
		} {
			checkReencodes(t, []byte(strings.Replace(base, change[0], change[1], 1)))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range reachable()[:20] {
		f.Add(r.Encode())
	}
	f.Add([]byte(`{"v":1,"state":"idle","fire":"9999-12-31T23:59:59.999999999-23:59","fence":18446744073709551615,"attempt":9223372036854775807}`))
	f.Add([]byte(`{"V":1,"STATE":"running","fire":"0000-01-01T00:00:00+00:01","fence":1,"attempt":1,"owner":"\ud800"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) { checkReencodes(t, b) })
}

// Error messages are cut between characters.
func TestCut_BetweenCharacters(t *testing.T) {
	full := strings.Repeat("x", 512)
	for _, tt := range []struct{ name, message, want string }{
		{"none", "", ""},
		{"short", "disk full", "disk full"},
		{"just short enough", full, full},
		{"a byte too long", full + "y", full[:509] + "…"},
		{"a character of two bytes at the end", strings.Repeat("ü", 300), strings.Repeat("ü", 254) + "…"},
		{"a character of three bytes at the end", "x" + strings.Repeat("世", 200), "x" + strings.Repeat("世", 169) + "…"},
		{"a character of four bytes at the end", strings.Repeat("😀", 200), strings.Repeat("😀", 127) + "…"},
		{"not text", "disk \xff full", "disk \uFFFD full"},
		{"not text at all", strings.Repeat("\x80", 600), "\uFFFD"},
		{"short, and long once it is text", strings.Repeat("\xffx", 200), strings.Repeat("\uFFFDx", 127) + "…"},
	} {
		r := running("10:00:00", me).Complete(ResultFailed, tt.message, now)
		if r.Error != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, r.Error, tt.want)
		}
		if len(r.Error) > MaxError || !utf8.ValidString(r.Error) {
			t.Errorf("%s: %d bytes, %q", tt.name, len(r.Error), r.Error)
		}
		if read, err := Decode(r.Encode()); err != nil || read.Error != r.Error {
			t.Errorf("%s: %q is read as %q, %v", tt.name, r.Error, read.Error, err)
		}
	}
}

// Records have a readable text.
func TestRecord_String(t *testing.T) {
	for _, tt := range []struct {
		record Record
		want   string
	}{
		{Record{}, "never ran"},
		{idle("10:00:00"), "idle fire=2027-03-01T10:00:00Z attempt=1 fence=7 result=ok"},
		{running("10:00:00", other), "running fire=2027-03-01T10:00:00Z attempt=1 fence=7 owner=b@1"},
		{running("10:00:00", ""), "running fire=2027-03-01T10:00:00Z attempt=1 fence=7 handed over"},
		{Record{Fire: at("10:00:00").In(time.FixedZone("", 3600)), Fence: 7, State: StateRunning, Owner: me, Attempt: 2},
			"running fire=2027-03-01T10:00:00Z attempt=2 fence=7 owner=a@2"},
	} {
		if got := tt.record.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
