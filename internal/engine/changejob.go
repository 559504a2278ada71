package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// ErrNoJob says that a job is neither in the store nor added here.
var ErrNoJob = errors.New("there is no such job")

// ChangeJob writes the next revision of a job, and returns when the store has
// it. change returns it, or the same document if there is nothing to change; it
// may be called several times. It is not called for a job that is not here.
// While this instance has no session, ChangeJob waits.
//
// The write compares the revision that change was given, and is tried again if
// another writer was faster. A lost answer is settled by a read: the document,
// or the revision that another writer has replaced since, names the write.
func (e *Engine) ChangeJob(
	ctx context.Context,
	name string,
	change func(doc layout.Job, now time.Time) (layout.Job, error),
) error {
	ops := map[string]bool{} // the names of the writes of this call
	for tries := 0; ; tries++ {
		m, err := e.askMember(ctx)
		if err != nil {
			return err
		}
		if m != nil {
			err := e.changeJob(ctx, m, name, ops, change)
			if !again(err) {
				return err
			}
		}
		sleep(ctx, e.backoff(min(tries, 3)))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// again reports whether a write that has failed can be tried again.
func again(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrSessionLost) || errors.Is(err, errNotYet)
}

// changeJob tries once. ops has the names of the writes before, whose answers
// were lost with a session: they can have been applied since.
func (e *Engine) changeJob(
	ctx context.Context,
	m *member,
	name string,
	ops map[string]bool,
	change func(doc layout.Job, now time.Time) (layout.Job, error),
) error {
	key := layout.JobKey(name)
	entry, err := e.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return e.notThere(ctx, name)
	}
	if err != nil {
		return err
	}
	doc, err := layout.DecodeJob(entry.Value)
	if err != nil {
		return fmt.Errorf("%s can't be read, and is left alone: %w", key, err)
	}
	if ops[doc.Changed.Op] {
		return nil
	}
	if doc.Here() == nil {
		return fmt.Errorf("%s", doc.Absence())
	}
	now, err := e.askClock(ctx)
	if err != nil {
		return err
	}
	next, err := change(doc, now)
	if err != nil || next.Rev == doc.Rev {
		return err
	}
	_, incarnation, _ := strings.Cut(m.id, "@")
	op := fmt.Sprintf("%s.%d", incarnation, e.changes.Add(1))
	ops[op] = true
	next.Changed = layout.Changed{By: m.id, At: now, Via: layout.ViaCode, Op: op}
	keep, err := e.keepRevision(ctx, name, doc)
	if err != nil {
		return err
	}
	_, err = e.cfg.Store.Commit(ctx, store.Txn{
		Session: m.session,
		If:      []store.Cond{store.At(key, entry.Version)},
		Do:      []store.Op{store.Set(key, next.Encode()), keep},
	})
	if !errors.Is(err, store.ErrUnknown) {
		return err
	}
	applied, readErr := e.wrote(ctx, name, next.Rev, op)
	switch {
	case readErr != nil:
		return fmt.Errorf("%w, and then: %w", err, readErr)
	case applied:
		return nil
	}
	return store.ErrConflict // what a read shows is final
}

// keepRevision returns the write that keeps a revision that is replaced.
func (e *Engine) keepRevision(ctx context.Context, name string, doc layout.Job) (store.Op, error) {
	key, value, _ := doc.Replaced(name)
	switch _, err := e.cfg.Store.Get(ctx, key); {
	case err == nil:
		return store.Set(key, value), nil
	case errors.Is(err, store.ErrNotFound):
		return store.Create(key, value), nil
	default:
		return store.Op{}, err
	}
}

// wrote reports whether the write of a name was applied: its revision is the
// present one, or was replaced since and kept.
func (e *Engine) wrote(ctx context.Context, name string, rev uint64, op string) (bool, error) {
	for _, key := range []string{layout.JobKey(name), layout.RevisionKey(name, rev)} {
		entry, err := e.cfg.Store.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		doc, err := layout.DecodeJob(entry.Value)
		if err == nil && doc.Changed.Op == op {
			return true, nil
		}
	}
	return false, nil
}

// notThere returns errNotYet if this instance will put the job into the store.
func (e *Engine) notThere(ctx context.Context, name string) error {
	holder, err := e.askHolder(ctx, name)
	switch {
	case err != nil:
		return err
	case holder.here:
		return errNotYet
	}
	return ErrNoJob
}

// askClock returns the wall clock, unless it differs from most others'.
func (e *Engine) askClock(ctx context.Context) (time.Time, error) {
	type reading struct {
		now     time.Time
		outlier bool
	}
	answer := make(chan reading, 1)
	e.post(func() { answer <- reading{e.cfg.Now(), e.clocks.outlier} })
	select {
	case r := <-answer:
		if r.outlier {
			return r.now, errors.New("the clock of this instance differs from most others'; set it first")
		}
		return r.now, nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	case <-e.stopped:
		return time.Time{}, ErrStopped
	}
}

// LastAssignment returns the assignment of a job as the store has it; nil if it
// has none that can be read.
func (e *Engine) LastAssignment(ctx context.Context, job string) (*layout.Assignment, error) {
	entry, err := e.cfg.Store.Get(ctx, layout.AssignmentKey(job))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := layout.DecodeAssignment(entry.Value)
	if err != nil {
		return nil, nil // a tombstone then takes its floor of fences from the clock
	}
	return &a, nil
}

// Followers returns the jobs that follow a job, as the replica shows them.
func (e *Engine) Followers(ctx context.Context, job string) ([]string, error) {
	answer := make(chan []string, 1)
	e.post(func() {
		var names []string
		for name, after := range e.follows {
			if slices.Contains(after, job) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		answer <- names
	})
	select {
	case names := <-answer:
		return names, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-e.stopped:
		return nil, ErrStopped
	}
}
