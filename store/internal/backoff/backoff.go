// Package backoff paces what is tried again and again.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a pause that begins with Next and doubles each time, up to Most.
// It is for one goroutine.
type Backoff struct{ Next, Most time.Duration }

// Pause returns the next one. Half of it is chance, so that those whom one
// fault has stopped don't all come back at once.
func (b *Backoff) Pause() time.Duration {
	d := b.Next/2 + rand.N(b.Next/2+1)
	b.Next = min(2*b.Next, b.Most)
	return d
}

// Wait pauses, unless ctx ends before.
func (b *Backoff) Wait(ctx context.Context) { Sleep(ctx, b.Pause()) }

// Sleep waits for a time, or for the end of ctx.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
