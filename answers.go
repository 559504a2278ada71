package elastic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// The answers about a fleet. See package status.
type (
	JobStatus      = status.Job
	ShardStatus    = status.Shard
	InstanceStatus = status.Instance
)

// JobDetail is all about one job but its shards.
type JobDetail struct {
	status.Job

	// Config is the job as it is stored. It is the zero Job if it can't be
	// read.
	Config Job `json:"config"`

	// Fires are the next fires, at most 5. They are times of the schedule: a
	// shard can begin later, by its part of Jitter.
	Fires []time.Time `json:"fires,omitempty"`

	// Waiting are the triggers that the store keeps, by their numbers.
	Waiting []status.Trigger `json:"waiting,omitempty"`

	// Cancels are the cancels that the store keeps, by their numbers.
	Cancels []status.Cancel `json:"cancels,omitempty"`
}

// ErrNoJob is the cause when a job is neither in the store nor added to the
// scheduler.
var ErrNoJob = engine.ErrNoJob

// Jobs returns the jobs of the namespace, and those that were added here and
// are not in the store yet, sorted by name. It sends no request: it answers
// from this instance's replica, which is as new as its watches. So figures
// about runs cover the shards of this instance only; see JobStatus.Read.
//
// The answer is a copy. Making it costs the scheduler's loop less than a
// microsecond a job, and the caller about 20 microseconds a job and 10 a shard.
//
// Jobs waits five seconds for Run to begin, and until the watches have shown
// the namespace once. A closed scheduler returns [ErrClosed].
func (s *Scheduler) Jobs(ctx context.Context) ([]JobStatus, error) {
	shot, err := s.snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the jobs: %w", err)
	}
	now := time.Now()
	ns := namespaceOf(shot)
	all := make([]JobStatus, len(shot.Jobs))
	for i, j := range shot.Jobs {
		all[i] = ns.Status(seen(j), now)
		if why, ok := j.Waits[-1]; ok {
			all[i].Reason = why
		}
	}
	return all, nil
}

// Job returns one job, as Jobs does. The error is [ErrNoJob] if there is none
// of that name.
func (s *Scheduler) Job(ctx context.Context, name string) (JobDetail, error) {
	shot, err := s.jobSnapshot(ctx, name)
	if err != nil {
		return JobDetail{}, fmt.Errorf("read job %q: %w", name, err)
	}
	now := time.Now()
	j := seen(shot.Jobs[0])
	d := JobDetail{
		Job:     namespaceOf(shot).Status(j, now),
		Fires:   j.Fires(now, nextFires),
		Waiting: j.Triggers(),
		Cancels: j.Cancels(),
	}
	if j.Spec != nil {
		d.Config = jobOf(name, *j.Spec)
	}
	if why, ok := shot.Jobs[0].Waits[-1]; ok {
		d.Reason = why
	}
	return d, nil
}

// nextFires is how many fires a detail has.
const nextFires = 5

// Shards returns the shards of a job: who owns each, what ran last, when the
// next fire is, and why nothing runs now. It sends one request, a list of the
// records of the job; the rest comes from this instance's replica. Of its own
// shards this instance knows more reasons than of others, such as a limit that
// it has reached.
//
// The error is [ErrNoJob] if there is no such job. See also Jobs.
func (s *Scheduler) Shards(ctx context.Context, job string) ([]ShardStatus, error) {
	shot, err := s.jobSnapshot(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("read the shards of job %q: %w", job, err)
	}
	j := seen(shot.Jobs[0])
	if j.Spec != nil && !j.Spec.Unclaimed {
		records, err := s.store.List(ctx, layout.RunsOf(job))
		if err != nil {
			return nil, fmt.Errorf("read the shards of job %q: %w", job, err)
		}
		j.Read(records)
	}
	all := namespaceOf(shot).Shards(j, time.Now())
	for i := range all {
		why, waits := shot.Jobs[0].Waits[all[i].Shard]
		if waits && all[i].Owner == shot.Me {
			all[i].Reason = why
		}
	}
	return all, nil
}

// Instances returns the live instances, the oldest first. It sends no request;
// see Jobs.
func (s *Scheduler) Instances(ctx context.Context) ([]InstanceStatus, error) {
	shot, err := s.snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the instances: %w", err)
	}
	ns := namespaceOf(shot)
	owned := map[string]int{}
	for _, j := range shot.Jobs {
		fleet.CountOwned(owned, j.Assignment)
	}
	all := make([]InstanceStatus, len(ns.Instances))
	for i, instance := range ns.Instances {
		all[i] = instance.Status(owned[instance.ID])
		all[i].Self = instance.ID == shot.Me
	}
	return all, nil
}

// namespaceOf returns what a snapshot says about the instances.
func namespaceOf(shot engine.Snapshot) *fleet.Namespace {
	return fleet.NewNamespace(shot.Instances, shot.Cordons, shot.Sets)
}

// seen returns a job as the engine has seen it.
func seen(j engine.JobSnapshot) *fleet.Job {
	job := fleet.NewJob(j.Name, j.Spec, j.Assignment, j.Signals)
	job.Records = j.Records
	return job
}

// jobSnapshot returns a snapshot of one job.
func (s *Scheduler) jobSnapshot(ctx context.Context, name string) (engine.Snapshot, error) {
	if err := layout.CheckName(name); err != nil {
		return engine.Snapshot{}, fmt.Errorf("its name %w", err)
	}
	shot, err := s.snapshot(ctx, name)
	if err == nil && len(shot.Jobs) == 0 {
		err = ErrNoJob
	}
	return shot, err
}

func (s *Scheduler) snapshot(ctx context.Context, jobs ...string) (engine.Snapshot, error) {
	if err := s.awaitRun(ctx); err != nil {
		return engine.Snapshot{}, err
	}
	shot, err := s.engine.Snapshot(ctx, jobs...)
	if errors.Is(err, engine.ErrStopped) {
		err = ErrClosed
	}
	return shot, err
}

// awaitRun waits until Run has begun, for at most runPatience.
func (s *Scheduler) awaitRun(ctx context.Context) error {
	if ctx == nil {
		return errors.New("the context is nil")
	}
	if s.isClosed() {
		return ErrClosed
	}
	patience := time.NewTimer(runPatience)
	defer patience.Stop()
	select {
	case <-s.began:
		return nil
	case <-patience.C:
		return errors.New("the scheduler does not run; call Run first")
	case <-s.over:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("the scheduler does not run: %w", context.Cause(ctx))
	}
}
