package engine

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// A job that follows others has no schedule of its own: its fires are those that all shards of the others have ended. The records of the others
// say so, and whoever has shards of the job watches them. So nothing is sent, nothing can get lost, and who dies in between does not
// matter.

// source is a job that jobs of this instance follow.
type source struct {
	end     context.CancelFunc // of the watch on its records
	users   []*job
	records map[int]failover.Record
}

// followSources makes the job's fires those of the jobs that it follows, and watches these as long as the job has shards here.
func (e *Engine) followSources(j *job) {
	var want []string
	if j.spec != nil && len(j.shards) > 0 {
		want = j.spec.After
	}
	for _, name := range j.sources {
		if !slices.Contains(want, name) {
			e.dropSource(j, name)
		}
	}
	for _, name := range want {
		if !slices.Contains(j.sources, name) {
			e.addSource(j, name)
		}
	}
	j.sources = slices.Clone(want)
	j.ofFires = slices.Clip(j.guards)
	if j.spec == nil || len(j.spec.After) == 0 {
		return
	}
	var fires failover.Followed
	for i, name := range want {
		ended, asOf := e.endedBy(name, j.spec.AfterEnds)
		j.ofFires = append(j.ofFires, asOf...)
		if i > 0 {
			ended = fires.And(ended)
		}
		fires = ended
	}
	j.policy.Schedule = fires
}

func (e *Engine) addSource(j *job, name string) {
	src := e.sources[name]
	if src == nil {
		ctx, end := context.WithCancel(e.life)
		src = &source{end: end, records: map[int]failover.Record{}}
		e.sources[name] = src
		e.wg.Go(func() { e.watchRuns(ctx, name, func(u store.Update) { e.sourceChanged(src, u) }) })
	}
	src.users = append(src.users, j)
}

func (e *Engine) dropSource(j *job, name string) {
	src := e.sources[name]
	src.users = slices.DeleteFunc(src.users, func(o *job) bool { return o == j })
	if len(src.users) == 0 {
		src.end()
		delete(e.sources, name)
	}
}

func (e *Engine) sourceChanged(src *source, u store.Update) {
	if u.Reset {
		clear(src.records)
	}
	for _, key := range u.Deleted {
		if item, err := layout.ShardOf(key); err == nil {
			delete(src.records, item)
		}
	}
	for _, entry := range u.Entries {
		if item, err := layout.ShardOf(entry.Key); err == nil {
			src.records[item], _ = failover.Decode(entry.Value) // one that can't be read has ended nothing; its owner says so
		}
	}
	for _, j := range src.users {
		e.touch(j)
	}
}

// endedBy returns the fires that all shards of a job have ended, and what says which those are: who claims such a fire must rest on that.
func (e *Engine) endedBy(name string, ends failover.Ends) (failover.Followed, []store.Cond) {
	entry, there := e.replica.spec(name)
	src := e.sources[name]
	if !there || src == nil {
		return failover.Followed{}, nil
	}
	spec, err := layout.DecodeSpec(entry.Value)
	if err != nil {
		return failover.Followed{}, nil
	}
	shards, asOf := spec.Shards, []store.Cond{store.At(layout.JobKey(name), entry.Version)}
	if spec.Broadcast() {
		assigned, version := e.assignedTo(name)
		if assigned == 0 {
			return failover.Followed{}, nil
		}
		shards = max(assigned, len(src.records)) // one that is gone may still run
		asOf = append(asOf, store.At(layout.AssignmentKey(name), version))
	}
	var records []failover.Record
	for item := range shards {
		if !slices.Contains(spec.DisabledShards, item) {
			records = append(records, src.records[item])
		}
	}
	return failover.Follows(records, ends), asOf
}

// assignedTo returns how many shards of a job are assigned, which may be one that this instance does not have.
func (e *Engine) assignedTo(name string) (int, store.Version) {
	entry, there := e.replica.assignment(name)
	if !there {
		return 0, 0
	}
	a, err := layout.DecodeAssignment(entry.Value)
	if err != nil {
		return 0, 0 // whoever has the job says so
	}
	return len(a.Owners), entry.Version
}

// noteFollowers notes which jobs a job follows, from its spec as it is stored: those must remember the fires that they end.
func (e *Engine) noteFollowers(name string) {
	delete(e.follows, name)
	entry, there := e.replica.spec(name)
	if !there {
		return
	}
	var doc struct {
		State layout.JobState `json:"state"`
		Spec  struct {
			After []string `json:"after"`
		} `json:"spec"`
	}
	if json.Unmarshal(entry.Value, &doc) == nil && doc.State == layout.JobPresent && len(doc.Spec.After) > 0 {
		e.follows[name] = doc.Spec.After
	}
}

// sourceMoved has followers look again at a job whose spec, assignment or
// instances have changed, also at one that this instance does not have.
func (e *Engine) sourceMoved(name string) {
	if len(e.follows) == 0 {
		return
	}
	for _, j := range e.jobs {
		if slices.Contains(j.sources, name) || j.spec != nil && slices.Contains(j.spec.After, name) {
			e.touch(j)
		}
	}
}

// isFollowed says whether other jobs follow a job.
func (e *Engine) isFollowed(name string) bool {
	for _, after := range e.follows {
		if slices.Contains(after, name) {
			return true
		}
	}
	return false
}
