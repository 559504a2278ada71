package failover

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// byReflection returns the stored form of a record as encoding/json writes it.
func byReflection(t *testing.T, r Record) []byte {
	t.Helper()
	d := document{
		V:         version,
		State:     r.State.String(),
		Fire:      years.Clamp(r.Fire),
		Trigger:   r.Trigger,
		Fence:     r.Fence,
		Owner:     r.Owner,
		Attempt:   r.Attempt,
		HandOvers: r.HandOvers,
		Started:   years.Clamp(r.Started),
		Ended:     years.Clamp(r.Ended),
		Result:    r.Result,
		Error:     r.Error,
		Done:      r.Done.series(),
		CarryOn:   r.CarryOn.Milliseconds(),
		Trace:     r.Trace.String(),
	}
	if r.IsManual() {
		d.Manual = &manual{years.Clamp(r.Manual.At), r.Manual.Parameter}
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return b
}

func checkEncoder(t *testing.T, r Record) {
	t.Helper()
	if got, want := r.Encode(), byReflection(t, r); !bytes.Equal(got, want) {
		t.Errorf("a record is stored as\ngot  %s\nwant %s, as encoding/json has it", got, want)
	}
}

// The encoder writes the bytes of encoding/json, whatever is in the record.
func TestEncode_SameAsReflection(t *testing.T) {
	for _, r := range reachable() {
		checkEncoder(t, r)
	}
	checkEncoder(t, Record{})
	for _, text := range []string{
		"",
		"x",
		"\x00\x1f\x7f \b\f\n\r\t",
		`"\/<>&'`,
		"ü世😀\u2027\u2028\u2029\u202a",
		"\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80",
		strings.Repeat("<", 600),
	} {
		r := running("10:00:00", text)
		r.Error = text
		r.Result = Result(text)
		r.Manual = Manual{At: now, Parameter: text}
		checkEncoder(t, r)
	}
	for _, at := range []time.Time{
		time.Unix(math.MinInt64, 0),
		time.Unix(0, 1),
		time.Unix(1, 120_000_000),
		time.Unix(math.MaxInt32, 999_999_999).In(time.FixedZone("", -4321)),
		time.Unix(1<<62, 0),
	} {
		checkEncoder(t, Record{Fire: at, Started: at, Ended: at, Manual: Manual{At: at}})
	}
	for _, n := range []uint64{0, 1, math.MaxInt64, math.MaxUint64} {
		checkEncoder(t, Record{
			Fence:     n,
			Trigger:   n,
			Attempt:   int(n),
			HandOvers: int(n),
			CarryOn:   time.Duration(n),
		})
	}
}

// randomRecord returns a record of random fields, most of which no step leads
// to.
func randomRecord(rng *rand.Rand, text string, at, nanoseconds int64) (r Record) {
	moment := func() time.Time {
		if rng.IntN(4) == 0 {
			return time.Time{}
		}
		return time.Unix(at>>rng.IntN(40), nanoseconds).In(time.FixedZone("", rng.IntN(7200)-3600))
	}
	part := func() string { return text[rng.IntN(len(text)+1):] }
	r.Fire = moment()
	r.Started = moment()
	r.Ended = moment()
	r.Manual = Manual{At: moment(), Parameter: part()}
	r.Owner = part()
	r.Error = part()
	r.Result = Result(part())
	r.Trigger = rng.Uint64() >> rng.IntN(64)
	r.Fence = rng.Uint64() >> rng.IntN(64)
	r.Attempt = int(rng.Int32()) >> rng.IntN(32)
	r.HandOvers = int(rng.Int32()) >> rng.IntN(32)
	r.State = State(rng.IntN(2))
	r.CarryOn = time.Duration(rng.Int64()) >> rng.IntN(63)
	if rng.IntN(2) == 0 {
		for i := range r.Trace.ID {
			r.Trace.ID[i] = byte(rng.Uint32())
		}
		r.Trace.Span[rng.IntN(8)] = byte(rng.Uint32())
	}
	var all []Series
	for range rng.IntN(4) {
		all = append(all, Series{
			First:  rng.Int64() >> rng.IntN(63),
			Step:   rng.Uint32(),
			Count:  1 + uint16(rng.IntN(3)),
			Failed: rng.IntN(2) == 0,
		})
	}
	r.Done = doneOf(all)
	return r
}

func FuzzEncode(f *testing.F) {
	f.Add(uint64(1), "disk \"a\" <full>\u2028\xff", int64(1<<40), int64(5))
	f.Add(uint64(2), "\x00\x1f\x7f&'\\/", int64(math.MinInt64), int64(999_999_999))
	f.Add(uint64(3), "", int64(253402300799), int64(-1))
	f.Fuzz(func(t *testing.T, seed uint64, text string, at, nanoseconds int64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 4 {
			checkEncoder(t, randomRecord(rng, text, at, nanoseconds))
		}
	})
}

// A fire encodes two records, so an encoding must not cost more than its bytes.
func TestEncode_OneAllocation(t *testing.T) {
	done := idle("10:00:00").Begin(at("10:00:10"), other, at("10:00:10.25")).
		Complete(ResultFailed, `disk "a" <full>`, at("10:01:00.5")).Follow()
	done.Trace = Trace{ID: [16]byte{1}, Span: [8]byte{2}}
	for _, r := range []Record{idle("10:00:00"), running("10:00:00", me), done} {
		if n := testing.AllocsPerRun(100, func() { r.Encode() }); n > 1 {
			t.Errorf("%s: %v allocations, want at most 1", r.Encode(), n)
		}
		buf := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { r.append(buf) }); n > 0 {
			t.Errorf("%s: %v allocations into a buffer, want none", r.Encode(), n)
		}
	}
}

func BenchmarkRecordEncode(b *testing.B) {
	r := running("10:00:00", other).Complete(ResultFailed, "connection refused", at("10:00:01.25"))
	b.ReportAllocs()
	for b.Loop() {
		r.Encode()
	}
}
