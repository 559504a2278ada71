package failover

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// A fire with a delay is due when the delay has passed.
func TestDelay_FireIsDueAfterDelay(t *testing.T) {
	schedule, err := cron.Parse("0/10 * * * * ?", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, misfire := range []Misfire{MisfireOnce, MisfireSkip, MisfireAll} {
		p := Policy{Schedule: schedule, Since: at("09:00:00"), Misfire: misfire, Window: 5 * time.Second, Delay: 4 * time.Second}
		r := Record{Fire: at("10:00:00"), Fence: 1, Attempt: 1, Ended: at("10:00:04")}
		for _, row := range []struct{ now, fire, next string }{
			{"10:00:05", "", "10:00:14"},
			{"10:00:13", "", "10:00:14"}, // the fire of :10 has come, its delay has not passed
			{"10:00:14", "10:00:10", ""},
			{"10:00:19", "10:00:10", ""}, // the window counts from when it is due
			{"10:00:20", "", "10:00:24"},
		} {
			d := p.asksFor(r, at(row.now))
			want := asks{}
			if row.fire != "" {
				want.fire = at(row.fire)
			}
			if row.next != "" {
				want.next = at(row.next)
			}
			if !d.fire.Equal(want.fire) || !d.next.Equal(want.next) {
				t.Errorf("%s, at %s: fire %s, next %s; want %s, %s", misfire, row.now, d.fire, d.next, want.fire, want.next)
			}
		}
	}
}

// A schedule that counts from the end of the last run has no missed fires.
func TestAfterEnd_CountsFromEndOfLastRun(t *testing.T) {
	p := Policy{Schedule: cron.Delay(time.Minute), AfterEnd: true, Since: at("09:00:00"), Misfire: MisfireSkip, Window: time.Second}
	done := Record{Fire: at("10:00:00"), Fence: 1, Attempt: 1, Ended: at("10:05:00")}
	for _, row := range []struct {
		name            string
		r               Record
		now, fire, next string
	}{
		{"never ran", Record{}, "09:00:30", "", "09:01:00"},
		{"never ran, and it is time", Record{}, "09:01:00", "09:01:00", ""},
		{"not yet", done, "10:05:59", "", "10:06:00"},
		{"now", done, "10:06:00", "10:06:00", ""},
		{"however late", done, "14:00:00", "10:06:00", ""},
	} {
		d := p.asksFor(row.r, at(row.now))
		var fire, next time.Time
		if row.fire != "" {
			fire = at(row.fire)
		}
		if row.next != "" {
			next = at(row.next)
		}
		if !d.fire.Equal(fire) || !d.next.Equal(next) || !d.missed.IsZero() {
			t.Errorf("%s: fire %s, next %s, missed %s; want %s, %s, none", row.name, d.fire, d.next, d.missed, fire, next)
		}
	}
}

// A record whose fence could not grow is refused.
func TestDecode_RefusesFenceAtEnd(t *testing.T) {
	r := Record{Fire: at("10:00:00"), Fence: MaxFence, Attempt: 1, Result: ResultSucceeded}
	if _, err := Decode(r.Encode()); err != nil {
		t.Errorf("the greatest fence is refused: %v", err)
	}
	r.Fence++
	if _, err := Decode(r.Encode()); err == nil {
		t.Error("a fence is accepted whose successors would begin again at zero")
	}
}
