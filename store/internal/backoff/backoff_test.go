package backoff

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPausesDoubleUpToTheMostAndAreHalfChance(t *testing.T) {
	for range 100 {
		b := Backoff{Next: 10 * time.Millisecond, Most: 35 * time.Millisecond}
		for i, most := range []time.Duration{10, 20, 35, 35} {
			most *= time.Millisecond
			if got := b.Pause(); got < most/2 || got > most {
				t.Fatalf("pause %d: got %v, want %v to %v", i, got, most/2, most)
			}
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		(&Backoff{Next: time.Hour, Most: time.Hour}).Wait(ctx)
		if got := time.Since(start); got != time.Second {
			t.Errorf("waited for %v, want 1s", got)
		}
		Sleep(t.Context(), time.Minute)
		if got := time.Since(start); got != time.Minute+time.Second {
			t.Errorf("slept until %v after the start, want 1m1s", got)
		}
	})
}
