package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"

	"github.com/elasticjob-go/elastic"
)

// roster holds the jobs that this instance has. One goroutine at a time uses
// it.
type roster struct {
	scheduler *elastic.Scheduler
	log       *slog.Logger
	members   map[string]*member
}

// member is a job of the roster. Its work can be replaced while the job stays.
type member struct {
	job  elastic.Job
	work atomic.Pointer[elastic.Handler]
}

// Handle implements elastic.Handler with the work of this moment.
func (m *member) Handle(ctx context.Context, run elastic.Run) error {
	return (*m.work.Load()).Handle(ctx, run)
}

func newRoster(s *elastic.Scheduler, log *slog.Logger) *roster {
	return &roster{scheduler: s, log: log, members: map[string]*member{}}
}

// become makes the roster these tasks. A job whose settings stay as they are
// stays registered and gets its new work. If a changed job is refused, the old
// one stays.
func (r *roster) become(tasks []task, options ...elastic.AddOption) error {
	var faults []error
	listed := map[string]bool{}
	for _, t := range tasks {
		listed[t.job.Name] = true
		if err := r.set(t, options); err != nil {
			faults = append(faults, err)
		}
	}
	for name := range r.members {
		if listed[name] {
			continue
		}
		if err := r.scheduler.Unregister(name); err != nil {
			faults = append(faults, err)
		}
		delete(r.members, name)
		r.log.Info("the job file no longer has the job; it stays in the store", "job", name)
	}
	return errors.Join(faults...)
}

// set adds a task, or replaces what the roster has of that name.
func (r *roster) set(t task, options []elastic.AddOption) error {
	old := r.members[t.job.Name]
	if old != nil && reflect.DeepEqual(old.job, t.job) {
		old.work.Store(&t.work)
		return nil
	}
	if old != nil {
		if err := r.scheduler.Unregister(t.job.Name); err != nil {
			return err
		}
		delete(r.members, t.job.Name)
	}
	m := &member{job: t.job}
	m.work.Store(&t.work)
	err := r.scheduler.Add(t.job, m, options...)
	if err == nil {
		r.members[t.job.Name] = m
		return nil
	}
	if old == nil {
		return err
	}
	if again := r.scheduler.Add(old.job, old); again != nil {
		return fmt.Errorf("%w; and the job as it was could not be added again: %w", err, again)
	}
	r.members[t.job.Name] = old
	return err
}
