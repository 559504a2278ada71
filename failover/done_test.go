package failover

import (
	"fmt"
	"testing"
	"time"
)

// remembers is a record whose shard has ended these fires; those after a minus without success.
func remembers(fires ...string) Record {
	r := Record{}
	for _, f := range fires {
		result := Succeeded
		if f[0] == '-' {
			f, result = f[1:], Failed
		}
		r = r.Begin(at(f), me, now).Complete(result, "", now).Follow()
	}
	return r
}

func TestAFireIsFollowedOnceAllShardsHaveEndedIt(t *testing.T) {
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
			for _, t := range f {
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

// A clock that was wrong can have a shard end a fire twice. Another that has not ended it is waited for all the same.
func TestAFireThatAShardHasEndedTwiceCountsOnce(t *testing.T) {
	twice := remembers("10:00:00", "11:00:00", "10:00:00")
	if got := Follows([]Record{twice, {}}, WhenSucceeded); len(got) > 0 {
		t.Errorf("%v is followed, and one shard never ran", got)
	}
	if got := Follows([]Record{twice, remembers("10:00:00", "11:00:00")}, WhenSucceeded); len(got) != 2 {
		t.Errorf("%v is followed, want both fires", got)
	}
	if got := Follows([]Record{remembers("-10:00:00", "10:00:00")}, WhenSucceeded); len(got) != 1 {
		t.Errorf("%v is followed, want the fire that succeeded in the end", got)
	}
}

func TestWhatARecordRemembersSurvivesTheNextRunsAndTheStore(t *testing.T) {
	r := remembers("10:00:00", "-10:00:10")
	next := r.Begin(at("10:00:20"), me, now).HandOver().TakeOver(other, now)
	if next.Done != r.Done {
		t.Errorf("while the next one runs: %v, want %v", next.Done, r.Done)
	}
	if got := next.BeginTrigger(Trigger{Seq: 1, At: now}, me, now).Complete(Succeeded, "", now).Follow(); got.Done != r.Done {
		t.Errorf("after a trigger: %v, want %v", got.Done, r.Done)
	}
	if got, err := Decode(r.Encode()); err != nil || got.Done != r.Done {
		t.Errorf("stored and read: %v, %v; want %v", got.Done, err, r.Done)
	}
	for i := range KeptDone + 3 {
		r = r.Begin(at("11:00:00").Add(time.Duration(i)*time.Second), me, now).Complete(Succeeded, "", now).Follow()
	}
	if r.Done[0] != at("11:00:03").Unix() || r.Done[KeptDone-1] != at("11:01:06").Unix() {
		t.Errorf("after many: %v", r.Done)
	}
}

func TestFollowedFiresAreASchedule(t *testing.T) {
	f := Followed{at("10:00:00"), at("11:00:00")}
	for from, want := range map[string]string{"09:00:00": "10:00:00", "10:00:00": "11:00:00", "10:30:00": "11:00:00"} {
		if got := f.Next(at(from)); !got.Equal(at(want)) {
			t.Errorf("after %s: %s, want %s", from, clock(got), want)
		}
	}
	if got := f.Next(at("11:00:00")); !got.IsZero() {
		t.Errorf("after the last: %s", clock(got))
	}
	if got := f.And(Followed{at("11:00:00"), at("12:00:00")}); len(got) != 1 || !got[0].Equal(at("11:00:00")) {
		t.Errorf("in both: %v", got)
	}
}
