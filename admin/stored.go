package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// stored is a job as it was read for a write.
type stored struct {
	name    string
	version store.Version // zero: there is no key
	doc     layout.Job
	err     error // the document can't be read
}

// readJob reads the document of a job. One that is missing, or can't be read,
// is no error yet.
func (c *Client) readJob(ctx context.Context, name string) (stored, error) {
	if err := layout.CheckName(name); err != nil {
		return stored{}, invalid("the name of a job %w", err)
	}
	e, err := c.get(ctx, layout.JobKey(name))
	if err != nil {
		return stored{}, err
	}
	s := stored{name: name, version: e.Version}
	if e.Version == 0 {
		return s, nil
	}
	s.doc, err = layout.DecodeJob(e.Value)
	if err != nil {
		s.err = &UnreadableError{e.Key, err}
	}
	return s, nil
}

// present returns the spec of a job that is here, or why it has none.
func (s stored) present() (layout.Spec, error) {
	switch {
	case s.version == 0:
		return layout.Spec{}, fmt.Errorf("there is no such job: %w", ErrNotFound)
	case s.err != nil:
		return layout.Spec{}, s.err
	case s.doc.Here() == nil:
		by := s.doc.Changed
		return layout.Spec{}, fmt.Errorf("it %w (%s, by %s at %s); restore it first",
			ErrRemoved, s.doc.State, by.By, by.At.UTC().Format(time.RFC3339))
	}
	return *s.doc.Spec, nil
}

// expect refuses another revision than the one that the caller has seen.
func (s stored) expect(o options) error {
	if o.revision == 0 || s.version != 0 && s.err == nil && s.doc.Rev == o.revision {
		return nil
	}
	if s.version == 0 || s.err != nil {
		return fmt.Errorf("it has no revision %d: %w", o.revision, ErrChanged)
	}
	return &ChangedError{s.doc.Rev, changeOf(s.doc.Changed)}
}

func changeOf(c layout.Changed) status.Change {
	return status.Change{By: c.By, At: c.At.UTC(), Via: string(c.Via), Why: c.Why}
}

// over returns the plan that replaces the document with next, and keeps the old
// one as a revision. next gets who changed it when the plan is sent.
func (c *Client) over(ctx context.Context, s stored, next layout.Job) (plan, error) {
	key, value, _ := s.doc.Replaced(s.name)
	kept, err := c.get(ctx, key)
	if err != nil {
		return plan{}, err
	}
	keep := store.Create(key, value)
	if kept.Version != 0 {
		keep = store.Set(key, value)
	}
	return plan{
		target:     s.name,
		rev:        next.Rev,
		conditions: []store.Cond{store.At(layout.JobKey(s.name), s.version)},
		ops: func(by layout.Changed) []store.Op {
			next.Changed = by
			return []store.Op{store.Set(layout.JobKey(s.name), next.Encode()), keep}
		},
	}, nil
}

// edit returns the plan that gives a job another spec. A change that changes
// nothing is an empty plan.
func (c *Client) edit(ctx context.Context, s stored, spec layout.Spec, at time.Time) (plan, error) {
	old := *s.doc.Spec
	if spec.Same(old) {
		return plan{target: s.name, rev: s.doc.Rev}, nil
	}
	spec = spec.Replaces(old, at)
	if err := checkSpec(spec); err != nil {
		return plan{}, err
	}
	p, err := c.over(ctx, s, s.doc.With(spec, layout.Changed{}))
	if err != nil {
		return plan{}, err
	}
	p.changes = differences(old, spec)
	return p, nil
}

func differences(old, spec layout.Spec) []layout.Change {
	var all []layout.Change
	for _, d := range layout.Differences(old, spec) {
		all = append(all, layout.Change{Field: d.Field, Old: d.A, New: d.B})
	}
	return all
}

// checkSpec returns all faults of a spec as an InvalidError.
func checkSpec(spec layout.Spec) error {
	err := spec.Check()
	if err == nil {
		return nil
	}
	return invalidFields(err)
}

func invalidFields(err error) error {
	e := &InvalidError{err: err}
	for _, f := range faults.All(err) {
		e.Faults = append(e.Faults, Fault{f.Field, f.Err.Error()})
	}
	return e
}

// specOf returns the spec that a job is stored as.
func specOf(job elastic.Job) (layout.Spec, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return layout.Spec{}, invalid("%w", err)
	}
	var n layout.Named
	if err := json.Unmarshal(text, &n); err != nil {
		return layout.Spec{}, invalid("%w", err)
	}
	return n.Spec, nil
}

// jobOf returns the job that a spec is stored of.
func jobOf(name string, spec layout.Spec) (elastic.Job, error) {
	text, err := json.Marshal(layout.Named{Name: name, Broadcast: spec.Broadcast(), Spec: spec})
	if err != nil {
		return elastic.Job{}, err
	}
	var job elastic.Job
	err = json.Unmarshal(text, &job)
	return job, err
}
