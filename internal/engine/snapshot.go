package engine

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// Snapshot is a copy of the replica, and of this instance's own knowledge. The
// values of entries are shared, and must not be changed.
type Snapshot struct {
	Me        string        // the ID of this instance; empty while it has no session
	Instances []store.Entry // of all live instances
	Cordons   []store.Entry // that operators have written
	Sets      layout.Sets   // that instances name, as far as they could be read
	Jobs      []JobSnapshot // by name
}

// JobSnapshot is one job of a Snapshot. An entry without a version stands for a
// key that is missing.
type JobSnapshot struct {
	Name                      string
	Spec, Assignment, Signals store.Entry
	Records                   map[int]fleet.Record  // of the shards of this instance
	Waits                     map[int]status.Reason // that this instance knows: why a shard waits; -1: the job
}

// Snapshot copies the replica for the given jobs, or for all that are in the
// store or were added here if none is given. It waits until the replica has its
// first content. The loop only copies references: less than a microsecond a job.
func (e *Engine) Snapshot(ctx context.Context, jobs ...string) (Snapshot, error) {
	select {
	case <-e.looking:
	case <-e.stopped:
		return Snapshot{}, ErrStopped
	case <-ctx.Done():
		return Snapshot{}, context.Cause(ctx)
	}
	answer := make(chan Snapshot, 1)
	e.post(func() { answer <- e.snapshot(jobs) })
	select {
	case s := <-answer:
		slices.SortFunc(s.Jobs, func(a, b JobSnapshot) int { return strings.Compare(a.Name, b.Name) })
		return s, nil
	case <-e.stopped:
		return Snapshot{}, ErrStopped
	case <-ctx.Done():
		return Snapshot{}, context.Cause(ctx)
	}
}

func (e *Engine) snapshot(names []string) Snapshot {
	s := Snapshot{
		Instances: slices.Collect(maps.Values(e.replica.entries[layout.Instances])),
		Cordons:   slices.Collect(maps.Values(e.replica.entries[layout.Cordons])),
		Sets:      make(layout.Sets, len(e.sets.known)),
	}
	for hash, set := range e.sets.known {
		if set.state == setRead {
			s.Sets[hash] = set.set
		}
	}
	if e.me != nil {
		s.Me = e.me.id
	}
	if len(names) == 0 {
		specs := e.replica.entries[layout.Jobs]
		names = make([]string, 0, len(specs)+len(e.jobs))
		for name := range specs {
			names = append(names, name)
		}
		for name := range e.jobs {
			if _, stored := specs[name]; !stored {
				names = append(names, name)
			}
		}
	}
	waits := map[string]map[int]status.Reason{}
	for id, w := range e.waits {
		if waits[id.job] == nil {
			waits[id.job] = map[int]status.Reason{}
		}
		waits[id.job][id.shard] = status.Reason{Code: id.code, Args: maps.Clone(w.args), Text: w.text}
	}
	s.Jobs = make([]JobSnapshot, 0, len(names))
	for _, name := range names {
		j := JobSnapshot{Name: name, Waits: waits[name]}
		j.Spec, _ = e.replica.spec(name)
		j.Assignment, _ = e.replica.assignment(name)
		j.Signals, _ = e.replica.signals(name)
		own := e.jobs[name]
		if own == nil && j.Spec.Version == 0 {
			continue
		}
		if own != nil {
			j.Records = own.records()
			j.Waits = e.limitWaits(own, j.Waits)
		}
		s.Jobs = append(s.Jobs, j)
	}
	return s
}

// records returns the records that this instance knows.
func (j *job) records() map[int]fleet.Record {
	records := make(map[int]fleet.Record, len(j.shards))
	for item, s := range j.shards {
		if s.known && !s.broken {
			records[item] = fleet.Record{Record: s.record, Version: s.version}
		}
	}
	return records
}

// limitWaits adds the reason of the job's shards that wait for a limit.
func (e *Engine) limitWaits(j *job, waits map[int]status.Reason) map[int]status.Reason {
	for item, s := range j.shards {
		if !s.held {
			continue
		}
		code, limit := codeLimitOfInstance, e.cfg.Most
		text := "its owner runs as many shards as it may"
		if j.spec != nil && j.spec.MaxConcurrent > 0 && j.active >= j.spec.MaxConcurrent {
			code, limit = codeLimitOfJob, j.spec.MaxConcurrent
			text = "its owner runs as many shards of the job as it may"
		}
		if waits == nil {
			waits = map[int]status.Reason{}
		}
		waits[item] = status.Reason{
			Code: code,
			Args: map[string]string{"limit": strconv.Itoa(limit)},
			Text: text + ": " + strconv.Itoa(limit),
		}
	}
	return waits
}
