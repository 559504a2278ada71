package cron

import (
	"fmt"
	"math"
	"testing"
	"time"
)

var jitterFire = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Other instances run other builds: these numbers, which another program
// computed, must never change.
func TestJitter_SameInEveryProcess(t *testing.T) {
	for _, c := range []struct {
		jitter Jitter
		job    string
		shard  int
		want   time.Duration
	}{
		{Jitter{Max: time.Minute}, "report", 0, 37672663038},
		{Jitter{Max: time.Minute}, "report", 1, 30887084924},
		{Jitter{Max: time.Minute, EachFire: true}, "report", 1, 4318683172},
		{Jitter{Max: time.Hour}, "", 0, 3372370014205},
		{Jitter{}, "report", 0, 0},
	} {
		if got := c.jitter.Delay(c.job, c.shard, jitterFire); got != c.want {
			t.Errorf("%+v of %s/%d: got %d, want %d", c.jitter, c.job, c.shard, got, c.want)
		}
	}
}

// The delay of a shard stays the same, unless EachFire is set.
func TestJitter_KeepsRhythmUnlessEachFire(t *testing.T) {
	later := jitterFire.Add(time.Minute)
	steady, each := Jitter{Max: time.Minute}, Jitter{Max: time.Minute, EachFire: true}
	if a, b := steady.Delay("report", 3, jitterFire), steady.Delay("report", 3, later); a != b {
		t.Errorf("steady: %v and then %v", a, b)
	}
	if a, b := each.Delay("report", 3, jitterFire), each.Delay("report", 3, later); a == b {
		t.Errorf("each fire: %v twice", a)
	}
	elsewhere := jitterFire.In(time.FixedZone("x", 3600))
	if a, b := each.Delay("report", 3, jitterFire), each.Delay("report", 3, elsewhere); a != b {
		t.Errorf("the same instant in another zone: %v and %v", a, b)
	}
}

// 1,000 jobs over 10 tenths: with a fair draw a tenth gets 100, give or take
// four standard deviations of 9.5.
func TestJitter_SpreadsEvenly(t *testing.T) {
	for name, draw := range map[string]func(n int) time.Duration{
		"jobs":   func(n int) time.Duration { return Jitter{Max: 10}.Delay(fmt.Sprintf("job-%d", n), 0, jitterFire) },
		"shards": func(n int) time.Duration { return Jitter{Max: 10}.Delay("job", n, jitterFire) },
		"fires": func(n int) time.Duration {
			return Jitter{Max: 10, EachFire: true}.Delay("job", 0, jitterFire.Add(time.Duration(n)*time.Minute))
		},
	} {
		var tenths [10]int
		for n := range 1000 {
			tenths[draw(n)]++ // out of range, and so a panic, unless 0 <= delay < Max
		}
		for i, n := range tenths {
			if math.Abs(float64(n-100)) > 38 {
				t.Errorf("%s: tenth %d has %d of 1000: %v", name, i, n, tenths)
			}
		}
	}
}

// Jitter allocates nothing.
func TestJitter_AllocatesNothing(t *testing.T) {
	jitter := Jitter{Max: time.Minute, EachFire: true}
	if n := testing.AllocsPerRun(100, func() { jitter.Delay("report", 3, jitterFire) }); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}
