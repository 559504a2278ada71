package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// jobVersion is the version of the documents of jobs and of what they replaced.
// Version 1 held the spec alone; it was never released, and is named and left
// alone.
const jobVersion = 2

// JobState tells whether a job is in this namespace.
type JobState string

// The states of a job. All but JobPresent mean that the job is not here:
// nothing of it begins, is taken over or is assigned.
const (
	JobPresent  JobState = "job"
	JobRemoved  JobState = "removed"  // by an operator; it can be restored
	JobMoved    JobState = "moved"    // to another store
	JobArriving JobState = "arriving" // from another store
	JobRefused  JobState = "refused"  // its move to this store was given up
)

var jobStates = []JobState{JobPresent, JobRemoved, JobMoved, JobArriving, JobRefused}

// Job is the document of a job: its spec, and what the store keeps about it.
type Job struct {
	State JobState

	// Rev is the number of the revision: 1 for a job that was created, and one
	// more with each write.
	Rev uint64

	Changed Changed // the write that made this revision

	// Spec is the job as instances run it; of a job that is not here, as they
	// ran it last. It is nil only where the state is not JobPresent and the
	// spec is not known.
	Spec *Spec

	// Fences is the floor of the first assignment that is made from this
	// document, or zero. A tombstone carries it, so that the fences of a job
	// that is restored are greater than those it had; see Assignment.Fences.
	Fences uint64
}

// Changed says who changed a document, when, by which way and why.
type Changed struct {
	By  string    `json:"by"`            // a user, or the ID of an instance
	At  time.Time `json:"at"`            // by the clock of that user or instance
	Via Via       `json:"via"`           // the way by which the change came
	Why string    `json:"why,omitempty"` // as the user gave it
	Op  string    `json:"op,omitempty"`  // names the act: a write whose answer was lost is found by it
}

// Via is the way by which a change came.
type Via string

// The ways.
const (
	ViaCode    Via = "code" // a program's own call, such as Add with Overwrite
	ViaFile    Via = "file" // a file of jobs
	ViaCLI     Via = "cli"
	ViaConsole Via = "console"
	ViaAPI     Via = "api"
)

var vias = []Via{ViaCode, ViaFile, ViaCLI, ViaConsole, ViaAPI}

// Limits of what people write beside a change.
const (
	MaxBy  = failover.MaxOwner // bytes of Changed.By
	MaxWhy = 256               // bytes of Changed.Why
)

// Check returns an error unless the change can be stored and read.
func (c Changed) Check() error {
	if err := within("a change", c.At); err != nil {
		return err
	}
	if c.At.IsZero() {
		return errors.New("a change without a time")
	}
	if err := CheckBy(c.By); err != nil {
		return fmt.Errorf("the author of a change %w", err)
	}
	if !slices.Contains(vias, c.Via) {
		return fmt.Errorf("the way of a change must be one of %v, is %q", vias, c.Via)
	}
	if err := CheckWhy(c.Why); err != nil {
		return err
	}
	if c.Op != "" {
		if err := CheckName(c.Op); err != nil {
			return fmt.Errorf("the op of a change %w", err)
		}
	}
	return nil
}

// CheckBy returns an error unless by can name the author of a change.
func CheckBy(by string) error {
	if by == "" || len(by) > MaxBy || !utf8.ValidString(by) {
		return fmt.Errorf("must be text of 1 to %d bytes, is %.40q", MaxBy, by)
	}
	return nil
}

// CheckWhy returns an error unless why can be stored as a reason.
func CheckWhy(why string) error {
	if len(why) > MaxWhy || !utf8.ValidString(why) {
		return fmt.Errorf("a reason must be text of at most %d bytes, has %d", MaxWhy, len(why))
	}
	return nil
}

// clamped returns c with a time that can be stored.
func (c Changed) clamped() Changed {
	c.At = years.Clamp(c.At)
	return c
}

// NewJob returns the first revision of a job.
func NewJob(spec Spec, by Changed) Job {
	return Job{State: JobPresent, Rev: 1, Changed: by, Spec: &spec}
}

// Here returns the spec of a job that is in this namespace, and nil of one that
// is not.
func (j Job) Here() *Spec {
	if j.State != JobPresent {
		return nil
	}
	return j.Spec
}

// With returns the next revision of the job, with another spec. A floor of
// fences that no assignment has taken over yet stays.
func (j Job) With(spec Spec, by Changed) Job {
	return Job{
		State:   JobPresent,
		Rev:     j.Rev + 1,
		Changed: by,
		Spec:    &spec,
		Fences:  j.Fences,
	}
}

// Removed returns the tombstone of the job: its next revision, which keeps the
// spec so that the job can be restored. last is the assignment that the job
// had, or nil; the fences of a job that is restored are greater than all under
// it.
func (j Job) Removed(last *Assignment, by Changed) Job {
	var floor Assignment
	if last != nil {
		floor = *last
	}
	floor.RaiseFences(by.At, j.Fences)
	return Job{
		State:   JobRemoved,
		Rev:     j.Rev + 1,
		Changed: by,
		Spec:    j.Spec,
		Fences:  floor.Fences,
	}
}

// Same reports whether two documents say the same about a job, by any author
// and at any revision.
func (j Job) Same(o Job) bool {
	if j.State != o.State || j.Fences != o.Fences || (j.Spec == nil) != (o.Spec == nil) {
		return false
	}
	return j.Spec == nil || j.Spec.Same(*o.Spec)
}

type jobDoc struct {
	V       int      `json:"v"`
	State   JobState `json:"state"`
	Rev     uint64   `json:"rev"`
	Changed Changed  `json:"changed"`
	Fences  uint64   `json:"fences,omitempty"`
	Spec    *Spec    `json:"spec,omitempty"`
}

// Encode returns the document as it is stored.
func (j Job) Encode() []byte {
	d := jobDoc{jobVersion, j.State, min(j.Rev, failover.MaxFence), j.Changed.clamped(), min(j.Fences, maxFences), nil}
	if j.Spec != nil {
		spec := j.Spec.clamped()
		d.Spec = &spec
	}
	return encode(d)
}

// DecodeJob reads a stored document. A field that it does not know is an error:
// a program that ignored it would run the job otherwise than its author asked,
// or lose the field with its next write.
func DecodeJob(b []byte) (Job, error) {
	if len(b) > MaxDocument {
		return Job{}, fmt.Errorf("not a job: it has %d bytes, and may have %d", len(b), MaxDocument)
	}
	var head struct {
		V int `json:"v"`
	}
	if err := decode(b, "a job", &head); err != nil {
		return Job{}, err
	}
	if head.V != jobVersion {
		return Job{}, fmt.Errorf("job of version %d: this program reads version %d", head.V, jobVersion)
	}
	var d jobDoc
	if err := strict(b, "a job", &d); err != nil {
		return Job{}, err
	}
	if err := d.check(); err != nil {
		return Job{}, fmt.Errorf("job: %w", err)
	}
	return Job{d.State, d.Rev, d.Changed, d.Spec, d.Fences}, nil
}

// ErrNotHere says that a job is not in this namespace.
var ErrNotHere = errors.New("the job is not here")

// DecodeSpec reads the spec of a job that is here. Of one that is not, the
// error is ErrNotHere, and says since when, and by whom.
func DecodeSpec(b []byte) (Spec, error) {
	j, err := DecodeJob(b)
	if err != nil {
		return Spec{}, err
	}
	if j.Here() == nil {
		return Spec{}, fmt.Errorf("%w: %s", ErrNotHere, j.Absence())
	}
	return *j.Spec, nil
}

// Absence says in words why the job is not here; empty if it is.
func (j Job) Absence() string {
	if j.State == JobPresent {
		return ""
	}
	verb := map[JobState]string{
		JobRemoved:  "was removed",
		JobMoved:    "was moved to another store",
		JobArriving: "is to arrive from another store",
		JobRefused:  "is not to arrive from another store any more",
	}[j.State]
	text := "it " + verb + " by " + j.Changed.By + " at " + j.Changed.At.UTC().Format(time.RFC3339)
	if j.Changed.Why != "" {
		text += " (" + j.Changed.Why + ")"
	}
	return text
}

// check returns an error unless the document can be acted on and written again.
func (d jobDoc) check() error {
	switch {
	case !slices.Contains(jobStates, d.State):
		return fmt.Errorf("the state must be one of %v, is %q", jobStates, d.State)
	case d.Rev == 0 || d.Rev > failover.MaxFence:
		return fmt.Errorf("the revision must be 1 to %d, is %d", uint64(failover.MaxFence), d.Rev)
	case d.Fences > maxFences:
		return fmt.Errorf("the floor of fences must be at most %d, is %d", uint64(maxFences), d.Fences)
	case d.State == JobPresent && d.Spec == nil:
		return errors.New("it has no spec")
	}
	if err := d.Changed.Check(); err != nil {
		return err
	}
	if d.Spec == nil {
		return nil
	}
	return d.Spec.checkStored()
}

// strict reads a document of a kind into v, and refuses fields that v does not
// have.
func strict(b []byte, kind string, v any) error {
	if err := decode(b, kind, &json.RawMessage{}); err != nil {
		return err // not UTF-8, or something after the document
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("not %s: %w", kind, err)
	}
	return nil
}
