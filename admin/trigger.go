package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// TriggerRequest asks for a run outside the schedule.
type TriggerRequest struct {
	// Shards are the shards to run; none means all.
	Shards []int `json:"shards,omitempty"`

	// Parameter replaces the parameters of the shards for the run, at most 4
	// KiB of text. An empty one leaves them.
	Parameter string `json:"parameter,omitempty"`
}

// Trigger asks for a run of a job outside its schedule; see
// elastic.Scheduler.Trigger. The number of the trigger is in the receipt.
//
// A job that no live instance has is refused without [Force]: a person who asks
// for a run expects it now. Trigger sends a list, two gets and a commit; of a
// broadcast one get more, and if 20 triggers wait a list more.
func (c *Client) Trigger(ctx context.Context, job string, r TriggerRequest, opts ...ActOption) (Receipt, error) {
	r.Shards = slices.Compact(slices.Sorted(slices.Values(r.Shards)))
	plan := func(ctx context.Context, o options, at moment) (plan, error) {
		return c.planTrigger(ctx, job, r, o, at)
	}
	return c.do(ctx, act{name: "trigger", repeats: true, plan: plan}, job, opts)
}

func (c *Client) planTrigger(ctx context.Context, job string, r TriggerRequest, o options, at moment) (plan, error) {
	if err := layout.CheckParameter(r.Parameter); err != nil {
		return plan{}, invalid("the parameter %w", err)
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
	if err := triggerable(spec, r.Shards); err != nil {
		return plan{}, err
	}
	if !o.force && !at.fleet.HasJob(job) {
		return plan{}, fmt.Errorf("%w: no live instance has the job; start one that has it, or force it", ErrRefused)
	}
	t := failover.Trigger{
		By:        c.by,
		At:        at.Time,
		Parameter: r.Parameter,
		Resharded: spec.Resharded,
		Enabled:   spec.LastEnabled(),
	}
	for _, shard := range r.Shards {
		if !slices.Contains(spec.DisabledShards, shard) {
			t.Shards = append(t.Shards, shard)
		}
	}
	if spec.Broadcast() { // for the instances that are there now
		t.Shards, err = c.broadcastShards(ctx, job)
		if err != nil {
			return plan{}, err
		}
	}
	g, err := c.readSignals(ctx, job)
	if err != nil {
		return plan{}, err
	}
	if len(g.signal.Triggers) >= layout.MaxTriggers {
		g.signal, err = c.waitingTriggers(ctx, s, spec, g.signal)
		if err != nil {
			return plan{}, err
		}
	}
	next, number, err := g.signal.Add(t)
	if err != nil {
		return plan{}, tooLarge(err)
	}
	p := g.write(s, next)
	p.number = number
	p.changes = []layout.Change{{Field: "trigger", New: strconv.FormatUint(number, 10)}}
	if len(t.Shards) > 0 {
		p.changes = append(p.changes, layout.Change{Field: "shards", New: rangesOf(t.Shards)})
	}
	return p, nil
}

func rangesOf(shards []int) string {
	text, _ := layout.Shards(shards).MarshalText() // it can't fail
	return string(text)
}

func tooLarge(err error) error {
	if errors.Is(err, layout.ErrTooLarge) {
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	}
	return invalid("%w", err)
}

// triggerable refuses a trigger that would run nothing.
func triggerable(spec layout.Spec, shards []int) error {
	switch {
	case spec.Unclaimed:
		return fmt.Errorf("it %w: it is not recorded which shards have begun the trigger", ErrUnclaimed)
	case spec.Disabled:
		return fmt.Errorf("it %w; enable it first", ErrDisabled)
	case len(shards) > 0:
		if err := checkShards(spec, shards); err != nil {
			return err
		}
		if !slices.ContainsFunc(shards, func(s int) bool { return !slices.Contains(spec.DisabledShards, s) }) {
			return fmt.Errorf("each of the shards %s %w; enable one of them first", rangesOf(shards), ErrDisabled)
		}
	case len(spec.DisabledShards) > 0 && len(spec.DisabledShards) == spec.Shards:
		return fmt.Errorf("each of its shards %w; enable one of them first", ErrDisabled)
	}
	return nil
}

// broadcastShards returns the shards that a broadcast has now.
func (c *Client) broadcastShards(ctx context.Context, job string) ([]int, error) {
	e, err := c.get(ctx, layout.AssignmentKey(job))
	if err != nil {
		return nil, err
	}
	if e.Version == 0 {
		return nil, fmt.Errorf("%w: no instance has the job yet", ErrRefused)
	}
	a, err := layout.DecodeAssignment(e.Value)
	if err != nil {
		return nil, &UnreadableError{e.Key, err}
	}
	shards := make([]int, len(a.Owners))
	for i := range shards {
		shards[i] = i
	}
	return shards, nil
}

// signals are those of a job, as they were read for a write.
type signals struct {
	key     string
	version store.Version // zero: there is no key
	signal  layout.Signal
}

func (c *Client) readSignals(ctx context.Context, job string) (signals, error) {
	g := signals{key: layout.SignalsKey(job)}
	e, err := c.get(ctx, g.key)
	if err != nil || e.Version == 0 {
		return g, err
	}
	g.version = e.Version
	g.signal, err = layout.DecodeSignal(e.Value)
	if err != nil {
		return g, &UnreadableError{e.Key, err}
	}
	return g, nil
}

// write returns the plan that stores the signals. It compares the job, so that
// nothing is given to one that was disabled or removed meanwhile.
func (g signals) write(s stored, next layout.Signal) plan {
	p := plan{target: s.name, conditions: []store.Cond{store.At(layout.JobKey(s.name), s.version)}}
	op := store.Create(g.key, next.Encode())
	if g.version != 0 {
		p.conditions = append(p.conditions, store.At(g.key, g.version))
		op = store.Set(g.key, next.Encode())
	}
	p.ops = func(layout.Changed) []store.Op { return []store.Op{op} }
	return p
}

// waitingTriggers drops the triggers that no shard awaits any more.
func (c *Client) waitingTriggers(
	ctx context.Context,
	s stored,
	spec layout.Spec,
	signal layout.Signal,
) (layout.Signal, error) {
	j, err := c.readRecordsOf(ctx, s)
	if err != nil {
		return signal, err
	}
	signal = signal.Waiting(func(t failover.Trigger) bool {
		for shard, r := range j.Records {
			if !slices.Contains(spec.DisabledShards, shard) && t.Awaits(shard, r.Record, j.Policy(shard)) {
				return true
			}
		}
		return false
	})
	if n := len(signal.Triggers); n >= layout.MaxTriggers {
		oldest := signal.Triggers[0]
		return signal, fmt.Errorf(
			"it %w: %d triggers wait, the oldest, %d by %s, since %s; find out why they don't run",
			ErrBusy,
			n,
			oldest.Seq,
			oldest.By,
			oldest.At.UTC().Format(time.RFC3339),
		)
	}
	return signal, nil
}

// readRecordsOf reads the assignment and the records of a job.
func (c *Client) readRecordsOf(ctx context.Context, s stored) (*fleet.Job, error) {
	assignment, err := c.get(ctx, layout.AssignmentKey(s.name))
	if err != nil {
		return nil, err
	}
	records, err := c.lists(ctx, layout.RunsOf(s.name))
	if err != nil {
		return nil, err
	}
	doc := store.Entry{Key: layout.JobKey(s.name), Value: s.doc.Encode(), Version: s.version}
	j := fleet.NewJob(s.name, doc, assignment, store.Entry{})
	j.Read(records[0])
	return j, nil
}
