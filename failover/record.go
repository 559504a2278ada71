package failover

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
)

// Record is the persisted state of one shard: its last fire, and the current
// run if there is one. The zero Record is that of a shard that never ran.
type Record struct {
	// Fire is the scheduled time of the last fire that began; zero if all runs
	// were triggered. Trigger is the last trigger that began; zero if none did.
	Fire    time.Time
	Trigger uint64

	// Manual is the trigger of the current run, or of the last one.
	Manual Manual

	// Fence grows with every claim. Handlers pass it on to a resource that
	// refuses smaller ones.
	Fence uint64

	State State

	// Owner is the ID of the instance that runs. It is empty while the record
	// is idle, and after a hand-over.
	Owner string

	// Attempt counts the tries at Fire or at the trigger, from 1. HandOvers is
	// how many of them ended because their instance left, or their shard moved.
	Attempt   int
	HandOvers int

	// Started is the begin of the last attempt, by the clock of its owner.
	// Ended is zero during a run.
	Started time.Time
	Ended   time.Time

	// Result is empty during a run.
	Result Result

	// Done has the last ended fires, for jobs that follow this one.
	Done Done

	// CarryOn is how long the run may continue after the session of its
	// instance has ended. Until then no instance takes it over. Zero while
	// idle.
	CarryOn time.Duration

	// Error is the error of the handler, cut to MaxError bytes.
	Error string

	// Trace is the trace of the last attempt; zero if it has none.
	Trace Trace
}

// State tells whether a run is in progress.
type State uint8

// The states of a record.
const (
	StateIdle State = iota
	StateRunning
)

// Result is the way a run ended.
type Result string

// The results.
const (
	ResultSucceeded Result = "ok"
	ResultFailed    Result = "failed"    // the handler returned an error, panicked, or exceeded its timeout
	ResultSkipped   Result = "skipped"   // the handler had nothing to do
	ResultLost      Result = "lost"      // abandoned: its instance died, and it is not repeated
	ResultReplaced  Result = "replaced"  // cancelled in favour of a later fire
	ResultCancelled Result = "cancelled" // cancelled by an operator
)

var results = []Result{
	ResultSucceeded,
	ResultFailed,
	ResultSkipped,
	ResultLost,
	ResultReplaced,
	ResultCancelled,
}

// MaxFence is the greatest fence, and the greatest number of a trigger. Claims
// cannot reach it. A record that has it, because another program wrote it, is
// not claimed again, because its fence cannot grow.
const MaxFence = 1 << 62

// MaxTries is the greatest Attempt of a record. A run that has reached it is
// abandoned and not taken over. Hand-overs cannot reach it in practice.
const MaxTries = 1 << 30

// MaxParameter is the greatest size of a parameter in bytes.
const MaxParameter = 4 << 10

// MaxOwner is the greatest size of an instance ID in bytes.
const MaxOwner = 201

// MaxCarryOn limits how long a run may continue without a session.
const MaxCarryOn = 24 * time.Hour

// MaxError is how many bytes of an error message a record keeps, so that the
// records of a job stay small.
const MaxError = 512

// version is the format of the records that this package writes. A record with
// a greater version was written by a newer program. It is not understood, and
// so never changed.
const version = 1

// document is the stored form of a Record. It is JSON, so that the store's own
// command line can show it. Decode reads it; Record.append writes its fields.
type document struct {
	V         int       `json:"v"`
	State     string    `json:"state"`
	Fire      time.Time `json:"fire,omitzero"`
	Trigger   uint64    `json:"trigger,omitempty"`
	Manual    *manual   `json:"manual,omitempty"`
	Fence     uint64    `json:"fence"`
	Owner     string    `json:"owner,omitempty"`
	Attempt   int       `json:"attempt"`
	HandOvers int       `json:"handOvers,omitempty"`
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Result    Result    `json:"result,omitempty"`
	Error     string    `json:"error,omitempty"`
	Done      []Series  `json:"done,omitempty"`
	CarryOn   int64     `json:"carryOn,omitempty"` // milliseconds
	Trace     string    `json:"trace,omitempty"`
}

type manual struct {
	At        time.Time `json:"at"`
	Parameter string    `json:"parameter,omitempty"`
}

// Decode reads a stored record. A value that it refuses was written by another
// program, or by a newer version, and must not be overwritten.
//
// Its bounds are those of Encode: each record that it accepts can be encoded
// after any step that Decide asks for, and read again.
func Decode(b []byte) (Record, error) {
	if !utf8.Valid(b) {
		return Record{}, errors.New("not a record: it is not UTF-8")
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return Record{}, fmt.Errorf("not a record: %w", err)
	}
	if d.V != version {
		return Record{}, fmt.Errorf("record of version %d: this program reads version %d", d.V, version)
	}
	r := Record{
		Fire:      d.Fire,
		Trigger:   d.Trigger,
		Fence:     d.Fence,
		Owner:     d.Owner,
		Attempt:   d.Attempt,
		HandOvers: d.HandOvers,
		Started:   d.Started,
		Ended:     d.Ended,
		Result:    d.Result,
		Error:     d.Error,
	}
	if n := len(d.Done); n > KeptSeries {
		return Record{}, fmt.Errorf("a record that remembers %d series of fires: want at most %d", n, KeptSeries)
	}
	r.Done = doneOf(d.Done)
	if err := r.Done.check(); err != nil {
		return Record{}, err
	}
	if d.CarryOn < 0 || d.CarryOn > MaxCarryOn.Milliseconds() {
		return Record{}, fmt.Errorf("a record that carries on for %d ms: want 0 to %s", d.CarryOn, MaxCarryOn)
	}
	r.CarryOn = time.Duration(d.CarryOn) * time.Millisecond
	if d.Manual != nil {
		r.Manual = Manual(*d.Manual)
	}
	if d.Trace != "" {
		trace, err := ParseTrace(d.Trace)
		if err != nil {
			return Record{}, fmt.Errorf("a record with %w", err)
		}
		r.Trace = trace
	}
	switch d.State {
	case "idle":
		if r.Owner != "" {
			return Record{}, fmt.Errorf("an idle record with the owner %q", r.Owner)
		}
		if d.CarryOn != 0 {
			return Record{}, fmt.Errorf("an idle record that carries on for %d ms", d.CarryOn)
		}
	case "running":
		r.State = StateRunning
		if r.Result != "" {
			return Record{}, fmt.Errorf("a running record with the result %q", r.Result)
		}
	default:
		return Record{}, fmt.Errorf("a record in the state %q: want idle or running", d.State)
	}
	hasCause := r.Trigger > 0 && r.Trigger <= MaxFence || r.Trigger == 0 && !r.Fire.IsZero() && !r.IsManual()
	hasFence := r.Fence > 0 && r.Fence <= MaxFence
	hasAttempt := r.Attempt >= 1 && r.HandOvers >= 0 && r.HandOvers <= r.Attempt
	if !hasCause || !hasFence || !hasAttempt {
		return Record{}, errors.New("a record without fire or trigger, fence or attempt")
	}
	err := r.check()
	return r, err
}

// check returns an error unless the record can be encoded after each further
// step.
func (r *Record) check() (err error) {
	for _, t := range []time.Time{r.Fire, r.Manual.At, r.Started, r.Ended} {
		if fault := years.Check(t); fault != nil {
			err = fmt.Errorf("a record whose time %w", fault)
		}
	}
	switch {
	case err != nil:
	case r.Attempt > MaxTries:
		err = fmt.Errorf("a record with %d attempts: want at most %d", r.Attempt, MaxTries)
	case r.State == StateRunning && r.Owner != "" && r.HandOvers == r.Attempt:
		err = fmt.Errorf("a running record that was handed over %d times in %d attempts", r.HandOvers, r.Attempt)
	case r.Owner != "" && !validOwner(r.Owner):
		err = fmt.Errorf("a record with the owner %.*q: want the ID of an instance", MaxOwner, r.Owner)
	case len(r.Manual.Parameter) > MaxParameter:
		err = fmt.Errorf("a record with a parameter of %d bytes: want at most %d", len(r.Manual.Parameter), MaxParameter)
	case len(r.Error) > MaxError:
		err = fmt.Errorf("a record with an error of %d bytes: want at most %d", len(r.Error), MaxError)
	case r.Result != "" && !slices.Contains(results, r.Result):
		err = fmt.Errorf("a record with the result %.20q: want ok, failed, skipped, lost, replaced or cancelled", r.Result)
	}
	if err != nil {
		*r = Record{}
	}
	return err
}

// validOwner reports whether an ID can be that of an instance, and so part of a
// key.
func validOwner(id string) bool {
	if len(id) > MaxOwner || id == "." || id == ".." {
		return false
	}
	for _, c := range id {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-', c == '@':
		default:
			return false
		}
	}
	return true
}

func (s State) String() string {
	if s == StateRunning {
		return "running"
	}
	return "idle"
}

// String is for people: logs, scenario files, failing tests.
func (r Record) String() string {
	if r.Fence == 0 {
		return "never ran"
	}
	what := "fire=" + r.Fire.UTC().Format(time.RFC3339)
	if r.IsManual() {
		what = "trigger=" + r.Manual.At.UTC().Format(time.RFC3339)
	}
	s := fmt.Sprintf("%s %s attempt=%d fence=%d", r.State, what, r.Attempt, r.Fence)
	switch {
	case r.State == StateIdle:
		s += " result=" + string(r.Result)
	case r.Owner == "":
		s += " handed over"
	default:
		s += " owner=" + r.Owner
	}
	return s
}
