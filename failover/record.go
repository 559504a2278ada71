package failover

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
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
	Idle State = iota
	Running
)

// Result is how a run ended.
type Result string

// The results.
const (
	Succeeded Result = "ok"
	Failed    Result = "failed"    // the handler returned an error, panicked, or ran into its timeout
	Skipped   Result = "skipped"   // the handler had nothing to do, and says why
	Lost      Result = "lost"      // abandoned: its instance died, and it is not to be repeated
	Replaced  Result = "cancelled" // cancelled in favour of a later fire
)

// MaxFence is far beyond what claims can reach, and far enough below the end of the numbers that the next one is greater.
const MaxFence = 1 << 62

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
	Done      []int64   `json:"done,omitempty"`
	CarryOn   int64     `json:"carryOn,omitempty"` // milliseconds
}

type manual struct {
	At        time.Time `json:"at"`
	Parameter string    `json:"parameter,omitempty"`
}

// Encode returns the record as it is stored.
func (r Record) Encode() []byte {
	d := document{
		V: version, State: r.State.String(), Fire: utc(r.Fire), Trigger: r.Trigger, Fence: r.Fence, Owner: r.Owner, Attempt: r.Attempt,
		HandOvers: r.HandOvers, Started: r.Started.UTC(), Ended: utc(r.Ended), Result: r.Result, Error: r.Error,
		CarryOn: r.CarryOn.Milliseconds(),
	}
	for _, at := range r.Done {
		if at != 0 {
			d.Done = append(d.Done, at)
		}
	}
	if r.IsManual() {
		d.Manual = &manual{r.Manual.At.UTC(), r.Manual.Parameter}
	}
	b, err := json.Marshal(d)
	if err != nil { // a year beyond 9999: no schedule gets there
		panic(fmt.Sprintf("failover: encode record: %v", err))
	}
	return b
}

// utc keeps the zero time zero, for omitzero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// Decode reads a stored record. A value that it refuses was written by something else, or by a newer program, and must
// not be overwritten.
func Decode(b []byte) (Record, error) {
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
	if n := len(d.Done); n > KeptDone {
		return Record{}, fmt.Errorf("a record that remembers %d fires: want at most %d", n, KeptDone)
	}
	copy(r.Done[KeptDone-len(d.Done):], d.Done)
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
		r.State = Running
		if r.Result != "" {
			return Record{}, fmt.Errorf("a running record with the result %q", r.Result)
		}
	default:
		return Record{}, fmt.Errorf("a record in the state %q: want idle or running", d.State)
	}
	if r.Fire.IsZero() && r.Trigger == 0 || r.IsManual() && r.Trigger == 0 || r.Trigger > MaxFence || r.Fence == 0 || r.Fence > MaxFence || r.Attempt < 1 || r.HandOvers < 0 || r.HandOvers > r.Attempt {
		return Record{}, errors.New("a record without fire or trigger, fence or attempt")
	}
	for _, t := range []time.Time{r.Fire, r.Manual.At, r.Started, r.Ended} {
		if y := t.UTC().Year(); y < 0 || y > 9999 { // it could not be written again
			return Record{}, fmt.Errorf("a record with the time %v: want a year from 0 to 9999", t)
		}
	}
	return r, nil
}

func (s State) String() string {
	if s == Running {
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
	case r.State == Idle:
		s += " result=" + string(r.Result)
	case r.Owner == "":
		s += " handed over"
	default:
		s += " owner=" + r.Owner
	}
	return s
}
