package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// inFlight is how many reads are sent at a time.
const inFlight = 8

// MaxShards is how many records a call of Jobs, Doctor or Dump reads at most.
// What it did not read it says so of.
const MaxShards = 20_000

// lists reads all keys below each prefix, inFlight at a time, and returns them
// in the same order.
func (c *Client) lists(ctx context.Context, prefixes ...string) ([][]store.Entry, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([][]store.Entry, len(prefixes))
	places := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	for i, prefix := range prefixes {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			entries, err := c.store.List(ctx, prefix)
			if err != nil {
				cancel(fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			all[i] = entries
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return all, nil
}

// get reads a key. An entry without a version stands for one that is missing.
func (c *Client) get(ctx context.Context, key string) (store.Entry, error) {
	e, err := c.store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return store.Entry{Key: key}, nil
	}
	if err != nil {
		return e, fmt.Errorf("read %s: %w", key, err)
	}
	return e, nil
}

// fleetView has all jobs and instances of the namespace.
type fleetView struct {
	*fleet.Namespace
	jobs   []*fleet.Job // by name
	clocks []time.Time  // that the oldest instances have written
}

// fleet reads all documents but the records: six lists.
func (c *Client) fleet(ctx context.Context) (*fleetView, error) {
	all, err := c.lists(
		ctx,
		layout.Instances,
		layout.Jobs,
		layout.Assignments,
		layout.Signals,
		layout.Cordons,
		layout.Clocks,
	)
	if err != nil {
		return nil, err
	}
	assignments, signals := byName(layout.Assignments, all[2]), byName(layout.Signals, all[3])
	ns, err := c.namespace(ctx, all[0], all[4])
	if err != nil {
		return nil, err
	}
	v := &fleetView{Namespace: ns, clocks: ns.Clocks(all[5])}
	for _, e := range all[1] {
		name, ok := layout.NameOf(layout.Jobs, e.Key)
		if !ok {
			continue
		}
		v.jobs = append(v.jobs, fleet.NewJob(name, e, assignments[name], signals[name]))
	}
	return v, nil
}

func byName(prefix string, entries []store.Entry) map[string]store.Entry {
	m := make(map[string]store.Entry, len(entries))
	for _, e := range entries {
		if name, ok := layout.NameOf(prefix, e.Key); ok {
			m[name] = e
		}
	}
	return m
}

// readRecords reads the records of jobs, one list a job, until MaxShards. It
// returns how many jobs were left out.
func (c *Client) readRecords(ctx context.Context, jobs []*fleet.Job) (left int, err error) {
	var wanted []*fleet.Job
	var prefixes []string
	shards := 0
	for _, j := range jobs {
		if j.Records != nil || j.Spec != nil && j.Spec.Unclaimed {
			continue
		}
		shards += j.Shards()
		if shards > MaxShards {
			left++
			continue
		}
		wanted = append(wanted, j)
		prefixes = append(prefixes, layout.RunsOf(j.Name))
	}
	records, err := c.lists(ctx, prefixes...)
	if err != nil {
		return 0, err
	}
	for i, j := range wanted {
		j.Read(records[i])
	}
	return left, nil
}

// job reads one job with its records, and the instances: three gets and three
// lists.
func (c *Client) job(ctx context.Context, name string) (*fleet.Job, *fleet.Namespace, error) {
	if err := layout.CheckName(name); err != nil {
		return nil, nil, invalid("the name of a job %w", err)
	}
	var entries [3]store.Entry
	for i, key := range []string{layout.JobKey(name), layout.AssignmentKey(name), layout.SignalsKey(name)} {
		e, err := c.get(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 && e.Version == 0 {
			return nil, nil, fmt.Errorf("there is no job %q: %w", name, ErrNotFound)
		}
		entries[i] = e
	}
	all, err := c.lists(ctx, layout.Instances, layout.RunsOf(name), layout.Cordons)
	if err != nil {
		return nil, nil, err
	}
	j := fleet.NewJob(name, entries[0], entries[1], entries[2])
	j.Read(all[1])
	ns, err := c.namespace(ctx, all[0], all[2])
	return j, ns, err
}

// Shards returns the shards of a job. It sends three gets and three lists.
func (c *Client) Shards(ctx context.Context, job string) ([]status.Shard, error) {
	j, ns, err := c.job(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("read the shards of job %q: %w", job, err)
	}
	return ns.Shards(j, c.now()), nil
}
