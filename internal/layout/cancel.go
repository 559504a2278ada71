package layout

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// MaxCancels is how many cancels of a job may wait at once.
const MaxCancels = 20

// ErrTooLarge says that a document would take more bytes than it may.
var ErrTooLarge = errors.New("too large")

// Cancel asks that a fire of a job ends, or does not begin. It names the fire
// and no run, so it can never end the run of the next fire.
type Cancel struct {
	Seq     uint64    `json:"seq"`              // grows with each cancel of the job
	Shards  Shards    `json:"shards,omitempty"` // none: all
	Fire    time.Time `json:"fire,omitzero"`    // of the schedule; zero: a trigger is named
	Trigger uint64    `json:"trigger,omitempty"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Why     string    `json:"why,omitempty"`
}

// Cancels reports whether the cancel is for a fire of a shard. trigger is zero
// for a fire of the schedule.
func (c Cancel) Cancels(shard int, fire time.Time, trigger uint64) bool {
	if len(c.Shards) > 0 && !slices.Contains(c.Shards, shard) {
		return false
	}
	if c.Trigger != 0 || trigger != 0 {
		return c.Trigger == trigger
	}
	return c.Fire.Equal(fire)
}

// AddCancel returns the signals with one more cancel, and its number. Numbers
// are times, in milliseconds since 1970, or one more than the last. The error
// says why a store would not take the document, or could not give it back.
func (s Signal) AddCancel(c Cancel) (Signal, uint64, error) {
	c.Seq = uint64(max(years.Clamp(c.At).UnixMilli(), 1))
	if n := len(s.Cancels); n > 0 {
		c.Seq = max(c.Seq, s.Cancels[n-1].Seq+1)
	}
	if err := c.check(); err != nil {
		return s, 0, err
	}
	if len(s.Cancels) >= MaxCancels {
		return s, 0, fmt.Errorf("%d cancels of the job wait already", MaxCancels)
	}
	next := Signal{s.Triggers, append(slices.Clone(s.Cancels), c)}
	if n := len(next.Encode()); n > MaxSignals {
		return s, 0, fmt.Errorf("%w: the triggers and cancels that wait would take %d bytes, and may take %d", ErrTooLarge, n, MaxSignals)
	}
	return next, c.Seq, nil
}

// clamped returns c with times that can be stored.
func (c Cancel) clamped() Cancel {
	c.Fire, c.At = years.Clamp(c.Fire), years.Clamp(c.At)
	return c
}

// check returns an error unless the cancel can be acted on and written again.
func (c Cancel) check() error {
	switch {
	case c.Seq == 0 || c.Seq > failover.MaxFence || c.Trigger > failover.MaxFence:
		return fmt.Errorf("its numbers must be at most %d, and its own not 0", uint64(failover.MaxFence))
	case c.Fire.IsZero() == (c.Trigger == 0):
		return errors.New("it must name either a fire or a trigger")
	case c.At.IsZero():
		return errors.New("it has no time")
	}
	if err := within("a cancel", c.Fire, c.At); err != nil {
		return err
	}
	if err := CheckBy(c.By); err != nil {
		return fmt.Errorf("its author %w", err)
	}
	if err := CheckWhy(c.Why); err != nil {
		return err
	}
	return c.Shards.check()
}
