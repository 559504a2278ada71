package failover

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// remembers is a record whose shard has ended these fires; those after a minus
// without success.
func remembers(fires ...string) Record {
	r := Record{}
	for _, f := range fires {
		result := ResultSucceeded
		if f[0] == '-' {
			f, result = f[1:], ResultFailed
		}
		r = r.Begin(at(f), me, now).Complete(result, "", now).Follow()
	}
	return r
}

// followed returns all fires of f.
func followed(f Followed) (all []time.Time) {
	for t := f.Next(time.Time{}); !t.IsZero(); t = f.Next(t) {
		all = append(all, t)
	}
	return all
}

// A fire is followed once all shards have ended it.
func TestFollowed_OnceAllShardsEnded(t *testing.T) {
	for _, tt := range []struct {
		name             string
		records          []Record
		succeeded, ended string
	}{
		{"all have", []Record{remembers("10:00:00"), remembers("10:00:00")}, "[10:00:00]", "[10:00:00]"},
		{"one has not", []Record{remembers("10:00:00"), remembers("09:00:00")}, "[]", "[]"},
		{"one never ran", []Record{remembers("10:00:00"), {}}, "[]", "[]"},
		{"one has failed", []Record{remembers("10:00:00"), remembers("-10:00:00")}, "[]", "[10:00:00]"},
		{"one is further", []Record{remembers("09:00:00", "10:00:00", "11:00:00"), remembers("10:00:00")}, "[10:00:00]", "[10:00:00]"},
		{"two fires", []Record{remembers("10:00:00", "11:00:00"), remembers("10:00:00", "11:00:00")}, "[10:00:00 11:00:00]", "[10:00:00 11:00:00]"},
		{"one failed, the next did not", []Record{remembers("-10:00:00", "11:00:00"), remembers("10:00:00", "11:00:00")}, "[11:00:00]", "[10:00:00 11:00:00]"},
	} {
		show := func(f Followed) string {
			var texts []string
			for _, t := range followed(f) {
				texts = append(texts, t.Format(time.TimeOnly))
			}
			return fmt.Sprint(texts)
		}
		if got := show(Follows(tt.records, WhenSucceeded)); got != tt.succeeded {
			t.Errorf("%s: got %s when succeeded, want %s", tt.name, got, tt.succeeded)
		}
		if got := show(Follows(tt.records, WhenEnded)); got != tt.ended {
			t.Errorf("%s: got %s when ended, want %s", tt.name, got, tt.ended)
		}
	}
}

// A clock that was wrong can have a shard end a fire twice. Another that has
// not ended it is waited for all the same.
func TestDone_FireEndedTwiceCountsOnce(t *testing.T) {
	twice := remembers("10:00:00", "11:00:00", "10:00:00")
	if got := followed(Follows([]Record{twice, {}}, WhenSucceeded)); len(got) > 0 {
		t.Errorf("%v is followed, and one shard never ran", got)
	}
	if got := followed(Follows([]Record{twice, remembers("10:00:00", "11:00:00")}, WhenSucceeded)); len(got) != 2 {
		t.Errorf("%v is followed, want both fires", got)
	}
	if got := followed(Follows([]Record{remembers("-10:00:00", "10:00:00")}, WhenSucceeded)); len(got) != 1 {
		t.Errorf("%v is followed, want the fire that succeeded in the end", got)
	}
}

// The remembered fires of a record survive later runs and the store.
func TestDone_SurvivesRunsAndStore(t *testing.T) {
	r := remembers("10:00:00", "-10:00:10")
	next := r.Begin(at("10:00:20"), me, now).HandOver().TakeOver(other, now)
	if next.Done != r.Done {
		t.Errorf("while the next one runs: %v, want %v", next.Done, r.Done)
	}
	if got := next.BeginTrigger(Trigger{Seq: 1, At: now}, me, now).Complete(ResultSucceeded, "", now).Follow(); got.Done != r.Done {
		t.Errorf("after a trigger: %v, want %v", got.Done, r.Done)
	}
	if got, err := Decode(r.Encode()); err != nil || got.Done != r.Done {
		t.Errorf("stored and read: %v, %v; want %v", got.Done, err, r.Done)
	}
}

// each has a shard end fires at an even distance from a moment on.
func each(r Record, from time.Time, step time.Duration, count int, result Result) Record {
	for i := range count {
		r = r.Begin(from.Add(time.Duration(i)*step), me, now).Complete(result, "", now).Follow()
	}
	return r
}

// Fires at even distances that end alike take no more room however many they
// are, and thousands of them are remembered.
func TestDone_EvenFiresAreOneSeries(t *testing.T) {
	r := each(Record{}, at("10:00:00"), time.Second, KeptFires, ResultSucceeded)
	if n := len(r.Done.series()); n != 1 {
		t.Errorf("%d fires are %d series, want 1", KeptFires, n)
	}
	if all := followed(Follows([]Record{r}, WhenSucceeded)); len(all) != KeptFires || !all[0].Equal(at("10:00:00")) {
		t.Errorf("%d fires are followed from %v on, want all %d", len(all), all[0], KeptFires)
	}
	r = each(r, at("10:00:00").Add(KeptFires*time.Second), time.Second, 3, ResultSucceeded)
	if all := followed(Follows([]Record{r}, WhenSucceeded)); len(all) != KeptFires || !all[0].Equal(at("10:00:03")) {
		t.Errorf("%d fires are followed from %v on, want the last %d", len(all), all[0], KeptFires)
	}
	if got, err := Decode(r.Encode()); err != nil || got.Done != r.Done {
		t.Errorf("stored and read: %v, %v; want %v", got.Done, err, r.Done)
	}
}

// Fires that have nothing in common are remembered one by one, the last of
// them. The record stays small.
func TestDone_UnevenFiresAreBounded(t *testing.T) {
	r := Record{}
	fire := at("10:00:00")
	for i := range 3 * KeptSeries {
		fire = fire.Add(time.Duration(i+1) * time.Second)
		r = each(r, fire, time.Second, 1, []Result{ResultSucceeded, ResultFailed}[i%2])
	}
	if n := len(followed(Follows([]Record{r}, WhenEnded))); n != KeptSeries {
		t.Errorf("%d are remembered, want %d", n, KeptSeries)
	}
	if got, err := Decode(r.Encode()); err != nil || got.Done != r.Done {
		t.Errorf("stored and read: %v, %v; want %v", got.Done, err, r.Done)
	}
	if n := len(r.Encode()); n > 2<<10 {
		t.Errorf("the record has %d bytes", n)
	}
}

// A fire in the midst of a series that ends again, in another way, leaves the
// others as they are.
func TestDone_AFireLeavesItsSeries(t *testing.T) {
	for i := range 5 {
		r := each(Record{}, at("10:00:00"), time.Second, 5, ResultSucceeded)
		again := at("10:00:00").Add(time.Duration(i) * time.Second)
		r = each(r, again, time.Second, 1, ResultFailed)
		if all := followed(Follows([]Record{r}, WhenEnded)); len(all) != 5 {
			t.Errorf("fire %d: %v have ended, want 5", i, all)
		}
		all := followed(Follows([]Record{r}, WhenSucceeded))
		if len(all) != 4 || slices.ContainsFunc(all, again.Equal) {
			t.Errorf("fire %d: %v have succeeded, want all but %v", i, all, again)
		}
		if got, err := Decode(r.Encode()); err != nil || got.Done != r.Done {
			t.Errorf("fire %d: stored and read: %v, %v; want %v", i, got.Done, err, r.Done)
		}
	}
}

// A fire is lost if one shard has ended it and another has forgotten whether it
// has; not if none remembers it, or if one that remembers all never ended it.
func TestFollowed_TellsWhatIsLost(t *testing.T) {
	full := each(Record{}, at("10:00:00"), time.Second, KeptFires+60, ResultSucceeded) // forgets what is before 10:01:00
	for _, tt := range []struct {
		name    string
		records []Record
		want    string
	}{
		{"it was forgotten", []Record{full, remembers("10:00:30")}, "10:00:30"},
		{"it is remembered", []Record{full, remembers("10:01:30")}, ""},
		{"it failed", []Record{full, remembers("-10:00:30")}, ""},
		{"a third has not ended it", []Record{full, remembers("10:00:30"), remembers("10:00:20")}, ""},
		{"one alone", []Record{full}, ""},
		{"all have forgotten it", []Record{full, full}, ""},
		{"none has ended anything", []Record{{}, {}}, ""},
		{"there is none", nil, ""},
	} {
		got := Follows(tt.records, WhenSucceeded).Lost(at("09:00:00"))
		if tt.want == "" && !got.IsZero() || tt.want != "" && !got.Equal(at(tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, got, tt.want)
		}
	}
	if got := Follows([]Record{full, remembers("10:00:30")}, WhenSucceeded).Lost(at("10:00:30")); !got.IsZero() {
		t.Errorf("after the fire: got %v", got)
	}
}

// Followed fires can be used as a schedule.
func TestFollowed_IsSchedule(t *testing.T) {
	f := Follows([]Record{remembers("10:00:00", "11:00:00")}, WhenSucceeded)
	for from, want := range map[string]string{"09:00:00": "10:00:00", "10:00:00": "11:00:00", "10:30:00": "11:00:00"} {
		if got := f.Next(at(from)); !got.Equal(at(want)) {
			t.Errorf("after %s: %s, want %s", from, clock(got), want)
		}
	}
	if got := f.Next(at("11:00:00")); !got.IsZero() {
		t.Errorf("after the last: %s", clock(got))
	}
	if got := f.Last(); !got.Equal(at("11:00:00")) {
		t.Errorf("the last: %s", clock(got))
	}
	o := Follows([]Record{remembers("11:00:00", "12:00:00")}, WhenSucceeded)
	if got := followed(f.And(o)); len(got) != 1 || !got[0].Equal(at("11:00:00")) {
		t.Errorf("in both: %v", got)
	}
	if got := f.And(o).Last(); !got.Equal(at("11:00:00")) {
		t.Errorf("the last in both: %s", clock(got))
	}
	if got := (Followed{}).Last(); !got.IsZero() {
		t.Errorf("the last of none: %s", clock(got))
	}
	if got := followed(f.And(Followed{})); len(got) != 0 {
		t.Errorf("in one that has none: %v", got)
	}
}
