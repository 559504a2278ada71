package failover

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// The limits of what a record remembers for jobs that follow.
const (
	KeptSeries = 64
	KeptFires  = 10_000
)

// Series is a row of fires at even distances that all ended in the same way.
// The zero Series is empty.
type Series struct {
	First  int64  // in seconds since 1970
	Step   uint32 // seconds from each to the next; zero if there is only one
	Count  uint16 // the number of fires
	Failed bool   // they ended without success
}

// Done is the list of the last fires that a shard has ended, in the order in
// which they ended. Only the records of jobs that other jobs follow have any.
// The zero Done is empty.
//
// Most jobs fire at even distances and succeed, so thousands of fires are one
// series. Beyond KeptSeries or KeptFires the oldest are forgotten.
type Done struct {
	// packed is the series one after another, each in packedSeries bytes. It is
	// text so that records can be compared, and so that the record of a job
	// that no other job follows stays small.
	packed string
}

// packedSeries is the size of a series in Done: First, Step, Count and Failed.
const packedSeries = 8 + 4 + 2 + 1

// len returns the number of series in d.
func (d Done) len() int { return len(d.packed) / packedSeries }

// at returns a series of d.
func (d Done) at(i int) Series {
	b := d.packed[i*packedSeries:][:packedSeries]
	var n [packedSeries]byte
	copy(n[:], b)
	return Series{
		First:  int64(binary.BigEndian.Uint64(n[:])),
		Step:   binary.BigEndian.Uint32(n[8:]),
		Count:  binary.BigEndian.Uint16(n[12:]),
		Failed: n[14] != 0,
	}
}

// last returns the latest fire of a series that has one.
func (s Series) last() int64 { return s.First + int64(s.Step)*int64(s.Count-1) }

// index returns the place of a fire in the series; -1 if it is not there.
func (s Series) index(at int64) int {
	switch {
	case s.Count == 0 || at < s.First || at > s.last():
		return -1
	case s.Step == 0:
		return 0
	case (at-s.First)%int64(s.Step) != 0:
		return -1
	}
	return int((at - s.First) / int64(s.Step))
}

// next returns the first fire at or after a moment; zero if there is none.
func (s Series) next(at int64) int64 {
	switch {
	case s.Count == 0 || at > s.last():
		return 0
	case at <= s.First:
		return s.First
	}
	step := int64(s.Step)
	return s.First + (at-s.First+step-1)/step*step
}

// lastUntil returns the last fire at or before a moment; zero if there is none.
func (s Series) lastUntil(at int64) int64 {
	switch {
	case s.Count == 0 || at < s.First:
		return 0
	case at >= s.last():
		return s.last()
	}
	return at - (at-s.First)%int64(s.Step)
}

// part returns count fires of the series from the one at a place on.
func (s Series) part(from, count int) Series {
	if count < 1 {
		return Series{}
	}
	s.First, s.Count = s.First+int64(from)*int64(s.Step), uint16(count)
	if count == 1 {
		s.Step = 0
	}
	return s
}

// with returns the series with one more fire. ok is false if the fire does not
// continue the series.
func (s Series) with(at int64, failed bool) (longer Series, ok bool) {
	if s.Count == 0 || s.Count > KeptFires || s.Failed != failed {
		return s, false
	}
	step := at - s.last()
	if step < 1 || step > math.MaxUint32 || s.Count > 1 && step != int64(s.Step) {
		return s, false
	}
	s.Step, s.Count = uint32(step), s.Count+1
	return s, true
}

// series returns the series of d.
func (d Done) series() (all []Series) {
	for i := range d.len() {
		all = append(all, d.at(i))
	}
	return all
}

// fires returns the number of fires in d.
func (d Done) fires() (n int) {
	for i := range d.len() {
		n += int(d.at(i).Count)
	}
	return n
}

// doneOf returns the last KeptSeries of the given series.
func doneOf(all []Series) Done {
	all = slices.DeleteFunc(all, func(s Series) bool { return s.Count == 0 })
	all = all[max(0, len(all)-KeptSeries):]
	packed := make([]byte, 0, len(all)*packedSeries)
	for _, s := range all {
		packed = binary.BigEndian.AppendUint64(packed, uint64(s.First))
		packed = binary.BigEndian.AppendUint32(packed, s.Step)
		packed = binary.BigEndian.AppendUint16(packed, s.Count)
		failed := byte(0)
		if s.Failed {
			failed = 1
		}
		packed = append(packed, failed)
	}
	return Done{string(packed)}
}

// add returns d with one more fire. If the fire is there already, because a
// clock was wrong, it moves to the end: it must not count twice.
func (d Done) add(fire time.Time, ok bool) Done {
	at := fire.Unix()
	var all []Series
	for _, s := range d.series() {
		if i := s.index(at); i >= 0 {
			all = append(all, s.part(0, i), s.part(i+1, int(s.Count)-i-1))
			continue
		}
		all = append(all, s)
	}
	all = slices.DeleteFunc(all, func(s Series) bool { return s.Count == 0 })
	added := false
	if n := len(all); n > 0 {
		all[n-1], added = all[n-1].with(at, !ok)
	}
	if !added {
		all = append(all, Series{First: at, Count: 1, Failed: !ok})
	}
	all = all[max(0, len(all)-KeptSeries):]
	kept := 0
	for _, s := range all {
		kept += int(s.Count)
	}
	if kept > KeptFires {
		all[0] = all[0].part(1, int(all[0].Count)-1)
	}
	return doneOf(all)
}

// check returns an error unless all fires are different and within bounds.
func (d Done) check() error {
	all := d.series()
	for i, s := range all {
		if s.First < 0 || s.First > years.Last || s.last() > years.Last {
			return fmt.Errorf("a record that remembers the fire %d, which is not in the years 1970 to 9999", s.last())
		}
		for _, o := range all[:i] {
			if at, twice := s.meets(o); twice {
				return fmt.Errorf("a record that remembers the fire %d twice", at)
			}
		}
	}
	if n := d.fires(); n > KeptFires {
		return fmt.Errorf("a record that remembers %d fires: want at most %d", n, KeptFires)
	}
	return nil
}

// meets returns the first fire that two series have in common. ok is false if
// there is none.
func (s Series) meets(o Series) (at int64, ok bool) {
	at = max(s.First, o.First)
	for {
		a := s.next(at)
		if a == 0 {
			return 0, false
		}
		if at = o.next(a); at == a || at == 0 {
			return at, at != 0
		}
	}
}

// MarshalJSON writes a series of one fire as a number, negative if it failed,
// and a longer one as a list of first fire, step and count.
func (s Series) MarshalJSON() ([]byte, error) { return s.append(nil), nil }

// UnmarshalJSON reads the form of MarshalJSON.
func (s *Series) UnmarshalJSON(b []byte) error {
	*s = Series{}
	numbers := []int64{0}
	into := any(&numbers[0])
	if len(b) > 0 && b[0] == '[' {
		into = &numbers
	}
	if err := json.Unmarshal(b, into); err != nil {
		return err
	}
	first, failed := numbers[0], numbers[0] < 0
	if failed {
		first = -first
	}
	switch {
	case first <= 0 || first > years.Last:
		return fmt.Errorf("the fire %d is not in the years 1970 to 9999", first)
	case len(numbers) == 1 && b[0] != '[':
		*s = Series{First: first, Count: 1, Failed: failed}
		return nil
	case len(numbers) != 3 || numbers[1] < 1 || numbers[1] > math.MaxUint32 || numbers[2] < 2 || numbers[2] > KeptFires:
		return fmt.Errorf("%.60q is no series of fires: want the first, the seconds between them, and 2 to %d", b, KeptFires)
	}
	*s = Series{First: first, Step: uint32(numbers[1]), Count: uint16(numbers[2]), Failed: failed}
	return nil
}

// Follow adds the fire of a run that has ended to Done, for jobs that follow.
// Triggered runs are not fires and are not remembered.
func (r Record) Follow() Record {
	if r.State == StateIdle && !r.IsManual() && r.Fence != 0 && r.Fire.Unix() > 0 && r.Fire.Unix() <= years.Last {
		r.Done = r.Done.add(r.Fire, r.Result == ResultSucceeded || r.Result == ResultSkipped)
	}
	return r
}

// Ends is how the fires of a job must have ended for another job to follow.
type Ends string

// The ends.
const (
	WhenSucceeded Ends = "succeeded" // each shard has succeeded, or was skipped
	WhenEnded     Ends = "ended"     // each shard has ended, with any result
)

// Followed is a schedule of the fires that all of some shards have ended. The
// zero Followed is empty.
type Followed struct {
	shards []endings
}

// endings are the fires of one shard that count.
type endings struct {
	series []Series
	since  int64 // fires before it may be forgotten; zero if none is
}

// Follows returns the fires that all shards have ended, given their records.
func Follows(records []Record, ends Ends) Followed {
	f := Followed{make([]endings, 0, len(records))}
	for i := range records {
		var e endings
		all := records[i].Done.series()
		full := len(all) == KeptSeries || records[i].Done.fires() >= KeptFires
		for _, s := range all {
			if full && (e.since == 0 || s.First < e.since) {
				e.since = s.First
			}
			if !s.Failed || ends == WhenEnded {
				e.series = append(e.series, s)
			}
		}
		f.shards = append(f.shards, e)
	}
	return f
}

// next returns the first fire at or after a moment; zero if there is none. If
// forgiving, forgotten fires count as fires.
func (e endings) next(at int64, forgiving bool) int64 {
	if forgiving && at < e.since {
		return at
	}
	var first int64
	for _, s := range e.series {
		if next := s.next(at); next != 0 && (first == 0 || next < first) {
			first = next
		}
	}
	return first
}

// lastUntil returns the last fire at or before a moment; zero if there is none.
func (e endings) lastUntil(at int64) (last int64) {
	for _, s := range e.series {
		last = max(last, s.lastUntil(at))
	}
	return last
}

// Next returns the first fire after t.
func (f Followed) Next(t time.Time) time.Time { return moment(f.next(t.Unix()+1, false)) }

func moment(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

// next returns the first moment, from at on, that is a fire of all shards.
func (f Followed) next(at int64, forgiving bool) int64 {
	if len(f.shards) == 0 {
		return 0
	}
	at = max(at, 1)
	for agreed, i := 0, 0; agreed < len(f.shards); i = (i + 1) % len(f.shards) {
		next := f.shards[i].next(at, forgiving)
		switch {
		case next == 0:
			return 0
		case next == at:
			agreed++
		default:
			at, agreed = next, 1
		}
	}
	return at
}

// Last returns the last fire; zero if there is none.
func (f Followed) Last() time.Time {
	if len(f.shards) == 0 {
		return time.Time{}
	}
	at := int64(years.Last)
	for agreed, i := 0, 0; agreed < len(f.shards); i = (i + 1) % len(f.shards) {
		last := f.shards[i].lastUntil(at)
		switch {
		case last == 0:
			return time.Time{}
		case last == at:
			agreed++
		default:
			at, agreed = last, 1
		}
	}
	return moment(at)
}

// Lost returns the first fire after t that would be followed if some shards had
// not forgotten whether they ended it; zero if there is none.
func (f Followed) Lost(t time.Time) time.Time {
	from, until := int64(math.MaxInt64), int64(0)
	for _, e := range f.shards {
		from, until = min(from, e.since), max(until, e.since)
	}
	at := f.next(max(from, t.Unix()+1), true) // before that not one shard remembers anything
	if at >= until {
		return time.Time{}
	}
	return moment(at)
}

// And returns the fires that are in both.
func (f Followed) And(o Followed) Followed {
	if len(f.shards) == 0 || len(o.shards) == 0 {
		return Followed{}
	}
	return Followed{slices.Concat(f.shards, o.shards)}
}
