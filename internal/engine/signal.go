package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Trigger asks for a run of a job outside its schedule, of the given shards or, with none, of all, and returns the trigger's number.
// The store keeps it, so it is run whatever becomes of this instance. While this instance has no session it waits. Of t, the fields
// Shards, Parameter and TraceParent are used.
func (e *Engine) Trigger(ctx context.Context, job string, t failover.Trigger, force bool) (uint64, error) {
	t.Shards = slices.Compact(slices.Sorted(slices.Values(t.Shards)))
	for tries := 0; ; tries++ {
		m, err := e.askMember(ctx)
		if err != nil {
			return 0, err
		}
		if m != nil {
			t.By, t.At = m.id, e.cfg.Now()
			seq, err := e.trigger(ctx, m, job, t, force)
			if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrSessionLost) && !errors.Is(err, errNotYet) {
				return seq, err
			}
		}
		sleep(ctx, e.backoff(min(tries, 3)))
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
}

// trigger tries once. A conflict, or a lost session, means that nothing was written.
func (e *Engine) trigger(ctx context.Context, m *member, job string, t failover.Trigger, force bool) (uint64, error) {
	holder, err := e.askHolder(ctx, job)
	if err != nil {
		return 0, err
	}
	spec, version, err := e.triggerable(ctx, job, t.Shards)
	switch {
	case errors.Is(err, errNotYet) && !holder.here:
		return 0, fmt.Errorf("there is no job %q in the store: an instance that has it must run first", job)
	case err != nil:
		return 0, err
	case !holder.here && !holder.elsewhere && !force:
		return 0, fmt.Errorf("no live instance has the job %q: start one that has, or use elastic.Force", job)
	}
	key := layout.SignalsKey(job)
	signal, at, err := e.readSignal(ctx, key)
	if err != nil {
		return 0, err
	}
	if len(signal.Triggers) >= layout.MaxTriggers {
		if signal, err = e.waiting(ctx, job, spec, signal); err != nil {
			return 0, err
		}
	}
	t.Resharded, t.Enabled = spec.Resharded, spec.LastEnabled()
	if len(t.Shards) > 0 {
		t.Shards = slices.DeleteFunc(slices.Clone(t.Shards), func(shard int) bool { return slices.Contains(spec.DisabledShards, shard) })
	}
	if spec.Broadcast() { // for the instances that are there now
		if t.Shards, err = e.broadcastShards(ctx, job); err != nil {
			return 0, err
		}
	}
	signal, seq, err := signal.Add(t)
	if err != nil {
		return 0, err
	}
	// The job's version is compared, so that no trigger is given to a job that was disabled or removed meanwhile.
	txn := store.Txn{Session: m.session, If: []store.Cond{store.At(layout.JobKey(job), version)}}
	if at == 0 {
		txn.Do = []store.Op{store.Create(key, signal.Encode())}
	} else {
		txn.If = append(txn.If, store.At(key, at))
		txn.Do = []store.Op{store.Set(key, signal.Encode())}
	}
	if _, err = e.cfg.Store.Commit(ctx, txn); !errors.Is(err, store.ErrUnknown) {
		return seq, err
	}
	// What a read shows now is final.
	signal, _, readErr := e.readSignal(ctx, key)
	switch {
	case readErr != nil:
		return 0, fmt.Errorf("%w, and then: %w", err, readErr)
	case slices.ContainsFunc(signal.Triggers, func(o failover.Trigger) bool { return o.Seq == seq && o.By == t.By }):
		return seq, nil
	}
	return 0, store.ErrConflict
}

// triggerable returns a job's spec and its version, if the job can be triggered.
func (e *Engine) triggerable(ctx context.Context, job string, shards []int) (layout.Spec, store.Version, error) {
	entry, err := e.cfg.Store.Get(ctx, layout.JobKey(job))
	if errors.Is(err, store.ErrNotFound) {
		return layout.Spec{}, 0, errNotYet
	}
	if err != nil {
		return layout.Spec{}, 0, err
	}
	spec, err := layout.DecodeSpec(entry.Value)
	switch {
	case errors.Is(err, layout.ErrNotHere):
		return spec, 0, fmt.Errorf("job %q can't be triggered: %w", job, err)
	case err != nil:
		return spec, 0, fmt.Errorf("job %q can't be read: %w", job, err)
	case spec.Unclaimed:
		return spec, 0, fmt.Errorf("job %q runs without claims, so nobody could say who has begun the trigger: it can't be triggered", job)
	case spec.Disabled:
		return spec, 0, fmt.Errorf("job %q is disabled: enable it first", job)
	case len(shards) > 0 && spec.Broadcast():
		return spec, 0, fmt.Errorf("job %q is a broadcast: it can be triggered on all instances, not on some", job)
	case len(shards) > 0 && (shards[0] < 0 || shards[len(shards)-1] >= spec.Shards):
		return spec, 0, fmt.Errorf("job %q has the shards 0 to %d, but was triggered for %v", job, spec.Shards-1, shards)
	case len(shards) > 0 && allIn(shards, spec.DisabledShards):
		return spec, 0, fmt.Errorf("shards %v of job %q are disabled; enable one of them first", shards, job)
	case len(spec.DisabledShards) > 0 && len(spec.DisabledShards) == spec.Shards:
		return spec, 0, fmt.Errorf("all shards of job %q are disabled; enable one of them first", job)
	}
	return spec, entry.Version, nil
}

// broadcastShards returns the shards that a broadcast has now.
func (e *Engine) broadcastShards(ctx context.Context, job string) ([]int, error) {
	entry, err := e.cfg.Store.Get(ctx, layout.AssignmentKey(job))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("no instance has the job %q yet", job)
	}
	if err != nil {
		return nil, err
	}
	a, err := layout.DecodeAssignment(entry.Value)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", entry.Key, err)
	}
	shards := make([]int, len(a.Owners))
	for i := range shards {
		shards[i] = i
	}
	return shards, nil
}

// readSignal returns a job's signals and their version; zero if there are none yet.
func (e *Engine) readSignal(ctx context.Context, key string) (layout.Signal, store.Version, error) {
	entry, err := e.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return layout.Signal{}, 0, nil
	}
	if err != nil {
		return layout.Signal{}, 0, err
	}
	signal, err := layout.DecodeSignal(entry.Value)
	if err != nil {
		return layout.Signal{}, 0, fmt.Errorf("%s can't be read, and is left alone: %w", key, err)
	}
	return signal, entry.Version, nil
}

// allIn reports whether all numbers are among some others.
func allIn(numbers, others []int) bool {
	return !slices.ContainsFunc(numbers, func(n int) bool { return !slices.Contains(others, n) })
}

// waiting drops the triggers that no shard awaits any more.
func (e *Engine) waiting(ctx context.Context, job string, spec layout.Spec, signal layout.Signal) (layout.Signal, error) {
	entries, err := e.cfg.Store.List(ctx, layout.RunsOf(job))
	if err != nil {
		return signal, err
	}
	records := map[int]failover.Record{}
	for _, entry := range entries {
		if item, err := layout.ShardOf(entry.Key); err == nil {
			records[item], _ = failover.Decode(entry.Value) // one that can't be read has begun nothing
		}
	}
	shards := spec.Shards
	if spec.Broadcast() {
		shards = len(records)
	}
	signal = signal.Waiting(func(t failover.Trigger) bool {
		for shard := range shards {
			p := failover.Policy{Resharded: spec.Resharded, Enabled: spec.EnabledSince(shard)}
			if t.Awaits(shard, records[shard], p) && !slices.Contains(spec.DisabledShards, shard) {
				return true
			}
		}
		return false
	})
	if n := len(signal.Triggers); n >= layout.MaxTriggers {
		return signal, fmt.Errorf("%d triggers of job %q wait already: find out why they don't run", n, job)
	}
	return signal, nil
}

// errNotYet says that a job is not in the store. An instance that has the job
// will put it there.
var errNotYet = errors.New("the job is not in the store")

// holder says which instances have a job.
type holder struct {
	here      bool // this one has it, and puts it into the store
	elsewhere bool // a live one has it, or one that can't be read
}

// askHolder asks the loop which instances have a job.
func (e *Engine) askHolder(ctx context.Context, job string) (holder, error) {
	answer := make(chan holder, 1)
	e.post(func() {
		e.mu.Lock()
		_, here := e.registered[job]
		e.mu.Unlock()
		if j := e.jobs[job]; j != nil && j.refused {
			here = false // it never fires, and is not put into the store
		}
		h := holder{here: here}
		for _, p := range e.replica.peers {
			h.elsewhere = h.elsewhere || !e.isMe(p.id) && (!p.readable || !p.whole() || p.Has(job))
		}
		answer <- h
	})
	select {
	case h := <-answer:
		return h, nil
	case <-ctx.Done():
		return holder{}, context.Cause(ctx)
	case <-e.stopped:
		return holder{}, ErrStopped
	}
}

// askMember has the loop say who this instance is now; nil while it has no session.
func (e *Engine) askMember(ctx context.Context) (*member, error) {
	answer := make(chan *member, 1)
	e.post(func() { answer <- e.me })
	select {
	case m := <-answer:
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-e.stopped:
		return nil, ErrStopped
	}
}

// ErrStopped is returned by what needs an engine that runs.
var ErrStopped = errors.New("the scheduler has stopped")
