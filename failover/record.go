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

// Record is the persisted state of one shard: its last fire, and the run in progress if there is one. The zero Record
// is that of a shard that never ran.
type Record struct {
	Fire      time.Time // the scheduled time of the last fire that was begun; zero if all runs were asked for by triggers
	Trigger   uint64    // the last trigger that was begun; zero if none was
	Manual    Manual    // of the run in progress, or of the last: the trigger that asked for it
	Fence     uint64    // grows by one with every claim; handlers pass it on to whatever can refuse a smaller one
	State     State
	Owner     string    // the instance that runs; empty while idle, and when the run was handed over
	Attempt   int       // of Fire, or of Trigger, from 1
	HandOvers int       // how many of the attempts ended because their instance left in good order, or their shard moved
	Started   time.Time // of the last attempt, by its owner's clock
	Ended     time.Time // zero while running
	Result    Result    // empty while running
	Done      Done      // for jobs that follow

	// CarryOn is for how long the run may go on after its instance's session has ended: nobody takes it over before. Zero while idle.
	CarryOn time.Duration
	Error   string // what the handler returned, cut to MaxError bytes
}

// State is whether a run is in progress.
type State uint8

// A record is in one of two states.
const (
	StateIdle State = iota
	StateRunning
)

// Result is how a run ended.
type Result string

// The results.
const (
	ResultSucceeded Result = "ok"
	ResultFailed    Result = "failed"    // the handler returned an error, panicked, or ran into its timeout
	ResultSkipped   Result = "skipped"   // the handler had nothing to do, and says why
	ResultLost      Result = "lost"      // abandoned: its instance died, and it is not to be repeated
	ResultReplaced  Result = "replaced"  // cancelled in favour of a later fire
	ResultCancelled Result = "cancelled" // cancelled by an operator. This version reads it, and never writes it
)

// MaxFence is the greatest fence and the greatest number of a trigger. Claims
// can't reach it. A record that has it, because something else wrote it, is
// claimed no more: its fence could not grow.
const MaxFence = 1 << 62

// MaxTries is the greatest Attempt of a record; a run that has it is abandoned
// and not taken over. It is far beyond what hand-overs can reach.
const MaxTries = 1 << 30

// MaxParameter is how many bytes a parameter may have.
const MaxParameter = 4 << 10

// MaxOwner is how many bytes the ID of an instance may have.
const MaxOwner = 201

// MaxCarryOn bounds how long a run may go on without a session.
const MaxCarryOn = 24 * time.Hour

// MaxError is how many bytes of an error message a record keeps, so that a job's records stay small.
const MaxError = 512

// version is the form of the records that this package writes. A record with a greater one was written by a newer
// program: it is not understood, and so not touched.
const version = 1

// document is a Record as it is stored: JSON, so that the store's own command line can show it.
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
}

type manual struct {
	At        time.Time `json:"at"`
	Parameter string    `json:"parameter,omitempty"`
}

// Encode returns the record as it is stored. Times outside the years 1 to 9999
// in UTC, which only a clock that is far off shows, are moved to the nearest
// within.
func (r Record) Encode() []byte {
	d := document{
		V: version, State: r.State.String(), Fire: years.Clamp(r.Fire), Trigger: r.Trigger, Fence: r.Fence, Owner: r.Owner, Attempt: r.Attempt,
		HandOvers: r.HandOvers, Started: years.Clamp(r.Started), Ended: years.Clamp(r.Ended), Result: r.Result, Error: r.Error,
		CarryOn: r.CarryOn.Milliseconds(),
	}
	d.Done = r.Done.series()
	if r.IsManual() {
		d.Manual = &manual{years.Clamp(r.Manual.At), r.Manual.Parameter}
	}
	b, _ := json.Marshal(d) // strings, numbers and times within bounds: there is nothing that can't be encoded
	return b
}

// Decode reads a stored record. A value that it refuses was written by something else, or by a newer program, and must
// not be overwritten.
//
// Its bounds are those of writing: each record that it accepts can be encoded
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
		Fire: d.Fire, Trigger: d.Trigger, Fence: d.Fence, Owner: d.Owner, Attempt: d.Attempt, HandOvers: d.HandOvers,
		Started: d.Started, Ended: d.Ended, Result: d.Result, Error: d.Error,
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
	if r.Fire.IsZero() && r.Trigger == 0 || r.IsManual() && r.Trigger == 0 || r.Trigger > MaxFence || r.Fence == 0 || r.Fence > MaxFence || r.Attempt < 1 || r.HandOvers < 0 || r.HandOvers > r.Attempt {
		return Record{}, errors.New("a record without fire or trigger, fence or attempt")
	}
	err := r.check()
	return r, err
}

// check returns an error unless the record can be written again after each
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
	case !slices.Contains([]Result{"", ResultSucceeded, ResultFailed, ResultSkipped, ResultLost, ResultReplaced, ResultCancelled}, r.Result):
		err = fmt.Errorf("a record with the result %.20q: want ok, failed, skipped, lost, replaced or cancelled", r.Result)
	}
	if err != nil {
		*r = Record{}
	}
	return err
}

// validOwner reports whether an ID can be that of an instance, and so a part of
// a key.
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
