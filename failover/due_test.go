package failover

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// asks is the demand of a schedule, with the first of the missed fires.
type asks struct{ fire, missed, next time.Time }

func (d asks) String() string {
	return fmt.Sprintf("fire %s, missed %s, next %s", clock(d.fire), clock(d.missed), clock(d.next))
}

// asksFor returns what due says, by times that a broken clock may have written.
func (p Policy) asksFor(r Record, now time.Time) asks {
	p, r, _ = p.believe(r, Learned{}, now)
	d := p.due(r, now)
	return asks{d.fire, d.missed.first, d.next}
}

// Each misfire policy has a default window.
func TestMisfire_Window(t *testing.T) {
	for misfire, want := range map[Misfire]time.Duration{MisfireOnce: 0, MisfireSkip: time.Minute, MisfireAll: 24 * time.Hour, "": 0} {
		if got := misfire.Window(); got != want {
			t.Errorf("window of %q = %v, want %v", misfire, got, want)
		}
	}
}

func TestDue(t *testing.T) {
	misfire := func(m Misfire, window time.Duration) func(*Policy) {
		return func(p *Policy) { p.Misfire, p.Window = m, window }
	}
	day := func(days int, clock string) time.Time { return at(clock).AddDate(0, 0, days) }
	hours := func(p *Policy) { p.Schedule, p.Since = every(time.Hour), at("00:00:00") }

	for _, tt := range []struct {
		name   string
		policy func(*Policy)
		record Record
		now    time.Time
		want   asks
	}{
		// The moment of a fire.
		{"a nanosecond before the fire", nil, idle("10:00:00"), at("10:00:10").Add(-1), asks{next: at("10:00:10")}},
		{"at the fire", nil, idle("10:00:00"), at("10:00:10"), asks{fire: at("10:00:10")}},
		{"at the fire, when it has been begun", nil, idle("10:00:10"), at("10:00:10"), asks{next: at("10:00:20")}},
		{"at a fire that another clock saw early", nil, idle("10:00:10"), at("10:00:06"), asks{next: at("10:00:20")}},

		// Once.
		{"once: of two the later", nil, idle("10:00:00"), at("10:00:20"), asks{fire: at("10:00:20"), missed: at("10:00:10")}},
		{"once: after a night", hours, idle("00:00:00"), at("09:59:59"), asks{fire: at("09:00:00"), missed: at("01:00:00")}},
		{"once: after a year", nil, idle("10:00:00"), day(365, "10:00:05"), asks{fire: day(365, "10:00:00"), missed: at("10:00:10")}},
		{"once, in the window", misfire(MisfireOnce, 5*time.Second), idle("10:00:00"), at("10:00:15"), asks{fire: at("10:00:10")}},
		{"once, past the window", misfire(MisfireOnce, 5*time.Second), idle("10:00:00"), at("10:00:15.000000001"),
			asks{missed: at("10:00:10"), next: at("10:00:20")}},

		// Skip.
		{"skip: late, not missed", func(p *Policy) { hours(p); p.Misfire = MisfireSkip }, idle("09:00:00"), at("10:01:00"), asks{fire: at("10:00:00")}},
		{"skip: missed", func(p *Policy) { hours(p); p.Misfire = MisfireSkip }, idle("09:00:00"), at("10:01:00.000000001"),
			asks{missed: at("10:00:00"), next: at("11:00:00")}},
		{"skip: some missed, the last late", misfire(MisfireSkip, 0), idle("09:00:00"), at("10:00:05"),
			asks{fire: at("10:00:00"), missed: at("09:00:10")}},
		{"skip, in the window", misfire(MisfireSkip, 3*time.Second), idle("10:00:00"), at("10:00:13"), asks{fire: at("10:00:10")}},
		{"skip, past the window", misfire(MisfireSkip, 3*time.Second), idle("10:00:00"), at("10:00:13.000000001"),
			asks{missed: at("10:00:10"), next: at("10:00:20")}},
		{"skip, with a longer window than the default", func(p *Policy) { hours(p); p.Misfire, p.Window = MisfireSkip, time.Hour }, idle("09:00:00"), at("10:59:59"),
			asks{fire: at("10:00:00")}},

		// All.
		{"all: the first", misfire(MisfireAll, 0), idle("10:00:00"), at("10:00:35"), asks{fire: at("10:00:10")}},
		{"all: then the next", misfire(MisfireAll, 0), idle("10:00:10"), at("10:00:35"), asks{fire: at("10:00:20")}},
		{"all: a day back", func(p *Policy) { hours(p); p.Misfire, p.Since = MisfireAll, day(-9, "00:00:00") }, Record{}, at("10:00:00"),
			asks{fire: day(-1, "10:00:00"), missed: day(-9, "01:00:00")}},
		{"all: a day back and no more", func(p *Policy) { hours(p); p.Misfire, p.Since = MisfireAll, day(-9, "00:00:00") }, Record{}, at("10:00:00.000000001"),
			asks{fire: day(-1, "11:00:00"), missed: day(-9, "01:00:00")}},
		{"all, as far as the window", misfire(MisfireAll, 25*time.Second), idle("10:00:00"), at("10:00:45"),
			asks{fire: at("10:00:20"), missed: at("10:00:10")}},
		{"all, not past the window", misfire(MisfireAll, 25*time.Second), idle("10:00:00"), at("10:00:45.000000001"),
			asks{fire: at("10:00:30"), missed: at("10:00:10")}},
		{"all, nothing in the window", misfire(MisfireAll, 3*time.Second), idle("10:00:00"), at("10:00:15"),
			asks{missed: at("10:00:10"), next: at("10:00:20")}},
		{"all, nothing in the window and nothing after it", func(p *Policy) { p.Misfire, p.Window, p.Schedule = MisfireAll, time.Second, times{at("10:00:10")} },
			idle("10:00:00"), at("10:00:15"), asks{missed: at("10:00:10")}},

		// What counts from when.
		{"the schedule came into force after the last fire", func(p *Policy) { p.Since = at("10:00:12") }, idle("09:00:00"), at("10:00:25"),
			asks{fire: at("10:00:20")}},
		{"the schedule came into force at a fire", func(p *Policy) { p.Since = at("10:00:20") }, idle("09:00:00"), at("10:00:25"),
			asks{next: at("10:00:30")}},
		{"the last fire is later than the schedule", func(p *Policy) { p.Since = at("09:59:00") }, idle("10:00:10"), at("10:00:25"),
			asks{fire: at("10:00:20")}},
		{"the schedule will come into force within the skew", func(p *Policy) { p.Since = at("10:00:24") }, Record{}, at("10:00:19"),
			asks{next: at("10:00:30")}},
		{"a shard that was added later: earlier fires were others'", func(p *Policy) { p.Resharded = at("10:00:12") }, Record{}, at("10:00:25"),
			asks{fire: at("10:00:20")}},
		{"a shard that was there before the others", func(p *Policy) { p.Resharded = at("10:00:12") }, idle("10:00:00"), at("10:00:25"),
			asks{fire: at("10:00:20"), missed: at("10:00:10")}},
		{"a shard that was added before the schedule changed", func(p *Policy) { p.Resharded, p.Since = at("09:00:00"), at("10:00:12") }, Record{}, at("10:00:25"),
			asks{fire: at("10:00:20")}},
		{"a disabled job", func(p *Policy) { p.Disabled = true }, idle("09:00:00"), at("10:00:25"), asks{}},
		{"no fire yet and none to come", func(p *Policy) { p.Schedule = times{} }, Record{}, at("10:00:25"), asks{}},
		{"the last fire of all was begun", func(p *Policy) { p.Schedule = times{at("10:00:00")} }, idle("10:00:00"), at("10:00:25"), asks{}},
		{"the last fire of all is due", func(p *Policy) { p.Schedule = times{at("10:00:00")} }, idle("09:00:00"), at("10:00:25"), asks{fire: at("10:00:00")}},

		// Overlap. The run of 10:00:00 ended at 10:00:31.
		{"queue: the fire that came while it ran", nil, long("10:00:31"), at("10:00:31"), asks{fire: at("10:00:30"), missed: at("10:00:10")}},
		{"replace: the same", func(p *Policy) { p.Overlap = OverlapReplace }, long("10:00:31"), at("10:00:31"),
			asks{fire: at("10:00:30"), missed: at("10:00:10")}},
		{"skip: not one that came while it ran", skip, long("10:00:31"), at("10:00:39"), asks{next: at("10:00:40")}},
		{"skip: the one after its end", skip, long("10:00:31"), at("10:00:45"), asks{fire: at("10:00:40")}},
		{"skip: not one at its very end", skip, long("10:00:30"), at("10:00:31"), asks{next: at("10:00:40")}},
		{"skip: one just after its end", skip, long("10:00:29.999999999"), at("10:00:31"), asks{fire: at("10:00:30")}},
		{"skip, when it ended by a clock that is ahead a little", skip, long("10:00:33"), at("10:00:31"), asks{next: at("10:00:40")}},
		{"skip, while another instance runs it", skip, running("10:00:00", other), at("10:00:11"), asks{fire: at("10:00:10")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(tt.policy)
			if got := p.asksFor(tt.record, tt.now); got != tt.want {
				t.Errorf("\ngot    %v\nwant   %v\n%s", got, tt.want, dump(p, View{Record: tt.record, Now: tt.now}))
			}
		})
	}
}

func skip(p *Policy) { p.Overlap = OverlapSkip }

// long is a record whose run of 10:00:00 ended at a time.
func long(ended string) Record {
	r := idle("10:00:00")
	r.Ended = at(ended)
	return r
}

// learnedAt is for a view whose instance learned of everything at one moment.
func learnedAt(t time.Time) Learned {
	return Learned{Since: t, Enabled: t, Resharded: t, Grown: t, Fire: t, Ended: t}
}

// A time that a broken clock has written counts as the moment at which it was
// learned: it neither silences a shard nor makes it repeat what was begun.
func TestDue_TimesOfAClockThatWasAhead(t *testing.T) {
	tomorrow := at("10:00:00").AddDate(0, 0, 1)
	future := func(r Record) Record { r.Fire = tomorrow; return r }
	since := func(p *Policy) { p.Since = tomorrow }
	delayed := func(change func(*Policy)) func(*Policy) {
		return func(p *Policy) {
			p.Delay = 8 * time.Second
			if change != nil {
				change(p)
			}
		}
	}
	afterEnd := func(p *Policy) { p.Schedule, p.AfterEnd = cron.Delay(time.Minute), true }
	for _, tt := range []struct {
		name         string
		policy       func(*Policy)
		record       Record
		learned, now string
		want         asks
	}{
		{"the fire, between fires", nil, future(idle("10:00:00")), "10:00:05", "10:00:09", asks{next: at("10:00:10")}},
		{"the fire, at a fire", nil, future(idle("10:00:00")), "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the fire, long after a fire", nil, future(idle("10:00:00")), "10:00:05", "10:00:19", asks{fire: at("10:00:10")}},
		{"the fire, learned at a fire, which may have run", nil, future(idle("10:00:00")), "10:00:10", "10:00:10", asks{next: at("10:00:20")}},
		{"the fire, within the skew", nil, idle("10:00:10"), "10:00:05", "10:00:05", asks{next: at("10:00:20")}},
		{"the fire, past the skew", nil, idle("10:00:10"), "10:00:04.999999999", "10:00:05", asks{next: at("10:00:20")}}, // that of 10:00:10 has begun
		{"the fire, when it comes near", nil, idle("10:00:30"), "10:00:05", "10:00:26", asks{fire: at("10:00:20"), missed: at("10:00:10")}},
		{"the fire, of a run that goes on", nil, future(running("10:00:00", other)), "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the fire, with a delay", delayed(nil), future(idle("10:00:00")), "10:00:05", "10:00:17", asks{next: at("10:00:18")}},
		{"the fire, when the delay has passed", delayed(nil), future(idle("10:00:00")), "10:00:05", "10:00:18", asks{fire: at("10:00:10")}},
		{"the schedule, between fires", since, idle("10:00:00"), "10:00:05", "10:00:06", asks{next: at("10:00:10")}},
		{"the schedule, at a fire", since, idle("10:00:00"), "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the schedule, of a job that never ran", since, Record{}, "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the schedule, with a delay", delayed(since), Record{}, "10:00:05", "10:00:18", asks{fire: at("10:00:10")}},
		{"the schedule, when the fire has been begun", since, idle("10:00:10"), "10:00:05", "10:00:10.5", asks{next: at("10:00:20")}},
		{"the schedule, when the fire was begun by a clock ahead a little", since, idle("10:00:10"), "10:00:05", "10:00:08", asks{next: at("10:00:20")}},
		{"the shards", func(p *Policy) { p.Resharded = tomorrow }, Record{}, "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the shards, with a delay", delayed(func(p *Policy) { p.Resharded = tomorrow }), Record{}, "10:00:05", "10:00:18", asks{fire: at("10:00:10")}},
		{"the instances of a broadcast", delayed(func(p *Policy) { p.Grown = tomorrow }), Record{}, "10:00:05", "10:00:18", asks{fire: at("10:00:10")}},
		{"a shard that was enabled", delayed(func(p *Policy) { p.Enabled = tomorrow }), idle("09:00:00"), "10:00:05", "10:00:18", asks{fire: at("10:00:10")}},
		{"the end of the run", skip, ended(idle("10:00:00"), tomorrow), "10:00:05", "10:00:06", asks{next: at("10:00:10")}},
		{"the end of the run, at a fire", skip, ended(idle("10:00:00"), tomorrow), "10:00:05", "10:00:10", asks{fire: at("10:00:10")}},
		{"the end of the run, when the fire has been begun", skip, ended(idle("10:00:10"), tomorrow), "10:00:05", "10:00:10.5", asks{next: at("10:00:20")}},
		{"the end of the run, from which the schedule counts", afterEnd, ended(idle("10:00:00"), tomorrow), "10:00:05", "10:01:05", asks{fire: at("10:01:05")}},
		{"the fire and the end, from which the schedule counts", afterEnd, future(ended(idle("10:00:00"), tomorrow)), "10:00:05", "10:01:04", asks{next: at("10:01:05")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, now := policy(tt.policy), at(tt.now)
			p, r, _ := p.believe(tt.record, learnedAt(at(tt.learned)), now)
			d := p.due(r, now)
			if got := (asks{d.fire, d.missed.first, d.next}); got != tt.want {
				t.Errorf("\ngot    %v\nwant   %v\n%s", got, tt.want, dump(p, View{Record: tt.record, Now: now}))
			}
		})
	}
}

// Fires that don't count because a broken clock has written from when on they
// do are missed, and the decision says so.
func TestDecide_FiresThatAClockDropped(t *testing.T) {
	tomorrow := at("10:00:00").AddDate(0, 0, 1)
	for _, tt := range []struct {
		name   string
		policy func(*Policy)
		record Record
		want   string
	}{
		{"the schedule", func(p *Policy) { p.Since = tomorrow }, idle("09:59:40"), "2 missed_clock from 09:59:50 to 10:00:00"},
		{"a shard that was enabled", func(p *Policy) { p.Enabled = tomorrow }, idle("09:59:40"), "2 missed_clock from 09:59:50 to 10:00:00"},
		{"the schedule, and nothing lies between", func(p *Policy) { p.Since = tomorrow }, idle("10:00:00"), "0"},
		{"the schedule, of a shard that never ran", func(p *Policy) { p.Since = tomorrow }, Record{}, "0"},
		{"a schedule that a good clock wrote", func(p *Policy) { p.Since = at("10:00:04") }, idle("09:59:40"), "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(tt.policy)
			d := Decide(p, view(tt.record, func(v *View) { v.Learned = learnedAt(now) }))
			if got := missedBy(p, d); got != tt.want {
				t.Errorf("got %s, want %s: %v", got, tt.want, d)
			}
		})
	}
}

// missedBy tells the fires that a decision says are missed.
func missedBy(p Policy, d Decision) string {
	count, last := p.CountMissed(d)
	if count == 0 {
		return "0"
	}
	return fmt.Sprintf("%d %s from %s to %s", count, d.MissedCode, clock(d.Missed), clock(last))
}

// How many fires are missed, which, and why.
func TestDecide_CountsMissedFires(t *testing.T) {
	working := func(v *View) { v.Local = Local{PhaseWorking, me, 7} }
	for _, tt := range []struct {
		name   string
		policy func(*Policy)
		record Record
		view   func(*View)
		want   string
	}{
		{"none", nil, idle("09:59:50"), nil, "0"},
		{"once: those before the latest", nil, idle("09:59:00"), nil, "5 missed_superseded from 09:59:10 to 09:59:50"},
		{"skip", func(p *Policy) { p.Misfire, p.Window = MisfireSkip, time.Second }, idle("09:59:00"), nil, "6 missed_too_late from 09:59:10 to 10:00:00"},
		{"all: those past the window", func(p *Policy) { p.Misfire, p.Window = MisfireAll, 10*time.Second }, idle("09:59:00"), nil, "5 missed_too_late from 09:59:10 to 09:59:50"},
		{"overlap: so far", skip, running("09:59:40", me), working, "2 missed_overlap from 09:59:50 to 10:00:00"},
		{"with a delay", func(p *Policy) { skip(p); p.Delay = 6 * time.Second }, running("09:59:40", me), working, "1 missed_overlap from 09:59:50 to 09:59:50"},
		{"more than are counted", func(p *Policy) { p.Schedule = every(time.Second) }, idle("09:00:00"), nil, "1001 missed_superseded from 09:00:01 to 10:00:04"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(tt.policy)
			if got := missedBy(p, Decide(p, view(tt.record, tt.view))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A fire is in the future beyond the skew.
func TestInFuture_BeyondSkew(t *testing.T) {
	for fire, want := range map[string]bool{"10:00:05": false, "10:00:10": false, "10:00:10.000000001": true, "09:00:00": false} {
		if got := InFuture(idle(fire), at("10:00:05")); got != want {
			t.Errorf("at 10:00:05 the fire %s is in the future: %t, want %t", fire, got, want)
		}
	}
}

func ended(r Record, at time.Time) Record {
	r.Ended = at
	return r
}

// An outage of a year is 31,536,000 fires of such a schedule. Halving it takes
// 25 steps of two questions each.
func TestDue_LongOutageCostsFewCalls(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	year := at("10:00:00").AddDate(1, 0, 0)
	var bursts times // 1,000 fires within seconds, at ten places of the year
	for i := range 10 {
		start := at("10:00:00").Add(time.Duration(i)*800*time.Hour + time.Duration(rng.Int64N(int64(time.Hour))))
		for j := range 1000 {
			bursts = append(bursts, start.Add(time.Duration(j)*time.Millisecond))
		}
	}
	for _, tt := range []struct {
		name     string
		schedule *counting
		misfire  Misfire
		most     int
	}{
		{"every second, once", &counting{Schedule: every(time.Second)}, MisfireOnce, 60},
		{"every second, skip", &counting{Schedule: every(time.Second)}, MisfireSkip, 60},
		{"every second, all", &counting{Schedule: every(time.Second)}, MisfireAll, 3},
		{"every hour, once", &counting{Schedule: every(time.Hour)}, MisfireOnce, 40},
		{"in bursts, once", &counting{Schedule: bursts}, MisfireOnce, 80},
		{"one fire in the year", &counting{Schedule: bursts[:1]}, MisfireOnce, 3},
		{"two fires in the year, close together", &counting{Schedule: bursts[:2]}, MisfireOnce, 5},
	} {
		p := policy(func(p *Policy) { p.Schedule, p.Misfire, p.Window = tt.schedule, tt.misfire, 2*24*366*time.Hour })
		d := p.asksFor(idle("09:59:59"), year)
		if d.fire.IsZero() {
			t.Errorf("%s: nothing is due after a year", tt.name)
		}
		if tt.schedule.calls > tt.most {
			t.Errorf("%s: %d calls of Next, want %d at most", tt.name, tt.schedule.calls, tt.most)
		}
	}
}

// slowDue is due as its documentation has it, one fire after another.
func slowDue(p Policy, r Record, now time.Time) asks {
	if p.Disabled {
		return asks{}
	}
	from := []time.Time{p.Since, r.Fire}
	if r.Fence == 0 {
		from = append(from, p.Resharded)
	}
	if p.Overlap == OverlapSkip && r.State == StateIdle {
		from = append(from, r.Ended)
	}
	var base time.Time
	for _, t := range from {
		if t.After(now.Add(MaxSkew)) {
			t = now
		}
		if t.After(base) {
			base = t
		}
	}
	window := map[Misfire]time.Duration{MisfireOnce: 100 * 365 * 24 * time.Hour, MisfireSkip: time.Minute, MisfireAll: 24 * time.Hour}[p.Misfire]
	if p.Window > 0 {
		window = p.Window
	}
	var d asks
	var young []time.Time // those that may begin
	for f := p.Schedule.Next(base); !f.IsZero(); f = p.Schedule.Next(f) {
		if f.Equal(r.Fire) {
			continue // it has begun by a clock that was ahead
		}
		if f.After(now) {
			d.next = f
			break
		}
		if d.missed.IsZero() {
			d.missed = f
		}
		if now.Sub(f) <= window {
			young = append(young, f)
		}
	}
	if len(young) == 0 {
		return d
	}
	fire := young[len(young)-1]
	if p.Misfire == MisfireAll {
		fire = young[0]
	}
	if d.missed.Equal(fire) {
		d.missed = time.Time{}
	}
	return asks{fire: fire, missed: d.missed}
}

// The due fire agrees with a slow search from fire to fire.
func TestDue_AgreesWithStepping(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	begun := 0
	for range 20_000 {
		var s times
		fire := at("10:00:00")
		for range rng.IntN(12) {
			fire = fire.Add(1 + time.Duration(rng.Int64N(int64(time.Second)<<rng.IntN(8))))
			s = append(s, fire)
		}
		// Any of the moments that matter, exactly or close by.
		moment := func() time.Time {
			t := at("10:00:00").Add(time.Duration(rng.Int64N(int64(5 * time.Minute))))
			if len(s) > 0 && rng.IntN(2) == 0 {
				t = s[rng.IntN(len(s))].Add(time.Duration(rng.IntN(3) - 1))
			}
			return t
		}
		now := moment()
		p := Policy{
			Schedule: s, Since: moment(), Resharded: moment(), Disabled: rng.IntN(20) == 0,
			Misfire: []Misfire{MisfireOnce, MisfireSkip, MisfireAll}[rng.IntN(3)], Overlap: []Overlap{OverlapQueue, OverlapSkip, OverlapReplace}[rng.IntN(3)],
		}
		if rng.IntN(2) == 0 {
			p.Window = 1 + time.Duration(rng.Int64N(int64(time.Minute)))
			if len(s) > 0 && rng.IntN(2) == 0 { // a fire at the very end of the window
				p.Window = max(0, now.Sub(s[rng.IntN(len(s))]))
			}
		}
		var r Record
		if rng.IntN(5) > 0 {
			r = Record{Fire: moment(), Fence: 1, State: State(rng.IntN(2)), Attempt: 1, Ended: moment()}
		}
		got, want := p.asksFor(r, now), slowDue(p, r, now)
		if got != want {
			var fires []string
			for _, f := range s {
				fires = append(fires, clock(f))
			}
			t.Fatalf("\ngot    %v\nwant   %v\n%s\nresharded %s, fires %q", got, want, dump(p, View{Record: r, Now: now}), clock(p.Resharded), fires)
		}
		if !got.fire.IsZero() {
			begun++
		}
	}
	if begun < 2000 {
		t.Errorf("a fire was due in %d cases only", begun)
	}
}
