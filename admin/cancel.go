package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// CancelRequest names what is to end: a fire of the schedule, or a trigger. So
// it can never end the run of the next fire.
type CancelRequest struct {
	Fire    time.Time `json:"fire,omitzero"`
	Trigger uint64    `json:"trigger,omitempty"`

	// Shards are the shards on which it ends; none means all.
	Shards []int `json:"shards,omitempty"`
}

// Cancel ends the runs of a fire or of a trigger, and keeps those that have not
// begun from beginning. The contexts of handlers end with elastic.ErrCancelled.
// A run that begins at the same moment is cancelled as soon as its instance
// sees the cancel.
//
// The fire must be running, waiting or due: otherwise the error is
// [ErrNotFound]. The changes in the receipt name the shards. Cancel sends two
// lists, three gets and a commit.
func (c *Client) Cancel(ctx context.Context, job string, r CancelRequest, opts ...ActOption) (Receipt, error) {
	r.Shards = slices.Compact(slices.Sorted(slices.Values(r.Shards)))
	plan := func(ctx context.Context, o options, at moment) (plan, error) { return c.planCancel(ctx, job, r, o, at) }
	return c.do(ctx, act{name: "cancel", repeats: true, plan: plan}, job, opts)
}

func (c *Client) planCancel(ctx context.Context, job string, r CancelRequest, o options, at moment) (plan, error) {
	if r.Fire.IsZero() == (r.Trigger == 0) {
		return plan{}, invalid("name either the fire or the trigger")
	}
	s, err := c.readJob(ctx, job)
	if err != nil {
		return plan{}, err
	}
	spec, err := s.present()
	if err != nil {
		return plan{}, err
	}
	if err := s.expect(o); err != nil {
		return plan{}, err
	}
	if spec.Unclaimed {
		return plan{}, fmt.Errorf("it %w: its runs can't be named", ErrUnclaimed)
	}
	if len(r.Shards) > 0 {
		if err := checkShards(spec, r.Shards); err != nil {
			return plan{}, err
		}
	}
	g, err := c.readSignals(ctx, job)
	if err != nil {
		return plan{}, err
	}
	j, err := c.readRecordsOf(ctx, s)
	if err != nil {
		return plan{}, err
	}
	j.Signals = g.signal
	running, waiting := matching(j, r, at.Time)
	if len(running)+len(waiting) == 0 {
		return plan{}, fmt.Errorf(
			"no shard runs it, and none waits for it: %w; the shards show which fires there are",
			ErrNotFound,
		)
	}
	signal := g.signal
	signal.Cancels = slices.DeleteFunc(slices.Clone(signal.Cancels), func(c layout.Cancel) bool { return j.Over(c) })
	if len(signal.Cancels) >= layout.MaxCancels {
		return plan{}, fmt.Errorf("it %w: %d cancels wait, the oldest since %s", ErrBusy, len(signal.Cancels),
			signal.Cancels[0].At.UTC().Format(time.RFC3339))
	}
	next, number, err := signal.AddCancel(layout.Cancel{
		Shards:  r.Shards,
		Fire:    r.Fire.UTC(),
		Trigger: r.Trigger,
		By:      c.by,
		At:      at.Time,
		Why:     o.why,
	})
	if err != nil {
		return plan{}, tooLarge(err)
	}
	p := g.write(s, next)
	p.number = number
	what := "fire " + r.Fire.UTC().Format(time.RFC3339Nano)
	if r.Trigger != 0 {
		what = "trigger " + strconv.FormatUint(r.Trigger, 10)
	}
	if len(running) > 0 {
		p.changes = append(
			p.changes,
			layout.Change{Field: "runs of " + what, Old: "running on " + rangesOf(running), New: "cancelled"},
		)
		p.consequences = append(p.consequences, fmt.Sprintf("%d runs are cancelled, and not repeated", len(running)))
	}
	if len(waiting) > 0 {
		p.changes = append(
			p.changes,
			layout.Change{Field: what, Old: "waiting on " + rangesOf(waiting), New: "missed"},
		)
		p.consequences = append(p.consequences, fmt.Sprintf("%d shards do not begin it", len(waiting)))
	}
	return p, nil
}

// matching returns the shards that run what is to be cancelled, and those that
// wait for it.
func matching(j *fleet.Job, r CancelRequest, now time.Time) (running, waiting []int) {
	for shard := range j.Shards() {
		if len(r.Shards) > 0 && !slices.Contains(r.Shards, shard) {
			continue
		}
		record := j.Records[shard]
		if record.Err != nil {
			continue
		}
		switch {
		case record.State == failover.StateRunning && runs(record.Record, r):
			running = append(running, shard)
		case awaits(j, shard, r, now):
			waiting = append(waiting, shard)
		}
	}
	return running, waiting
}

func runs(record failover.Record, r CancelRequest) bool {
	if r.Trigger != 0 {
		return record.IsManual() && record.Trigger == r.Trigger
	}
	return !record.IsManual() && record.Fire.Equal(r.Fire)
}

// awaits reports whether a shard still begins a fire or a trigger.
func awaits(j *fleet.Job, shard int, r CancelRequest, now time.Time) bool {
	record, p := j.Records[shard].Record, j.Policy(shard)
	if r.Trigger != 0 {
		i := slices.IndexFunc(j.Signals.Triggers, func(t failover.Trigger) bool { return t.Seq == r.Trigger })
		return i >= 0 && !p.Disabled && j.Signals.Triggers[i].Awaits(shard, record, p)
	}
	if p.Disabled || r.Fire.After(now) {
		return false
	}
	due, _ := p.Due(failover.View{Record: record, Now: now})
	return due.Equal(r.Fire) || p.Base(failover.View{Record: record, Now: now}).Before(r.Fire) && p.IsFire(r.Fire)
}
