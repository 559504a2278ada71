package layout

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// MaxTriggers is how many triggers of a job may wait at once. They run one
// after the other, so more than a few mean that nobody looks at what becomes of
// them.
const MaxTriggers = 20

// MaxSignals is how many bytes the signals of a job may have.
const MaxSignals = MaxDocument

// Signal is what people ask of a job beside its schedule.
type Signal struct {
	Triggers []failover.Trigger // by their numbers; those that every shard has begun may be missing, but not the last
	Cancels  []Cancel           // by their numbers
}

type signalsDoc struct {
	V        int          `json:"v"`
	Triggers []triggerDoc `json:"triggers"`
	Cancels  []Cancel     `json:"cancels,omitempty"`
}

type triggerDoc struct {
	Seq       uint64    `json:"seq"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Shards    Shards    `json:"shards,omitempty"` // none: all
	Parameter string    `json:"parameter,omitempty"`
	Resharded time.Time `json:"resharded"`
	Enabled   time.Time `json:"enabled,omitzero"`
	Trace     string    `json:"trace,omitempty"` // a traceparent
}

// Add returns the signals with one more trigger, and its number. Numbers are
// times, in milliseconds since 1970, or one more than the last: they grow even
// if the document was deleted in between. The error says why a store would not
// take the document, or could not give it back.
func (s Signal) Add(t failover.Trigger) (Signal, uint64, error) {
	if err := CheckParameter(t.Parameter); err != nil {
		return s, 0, fmt.Errorf("the parameter %w", err)
	}
	t.Seq = uint64(max(years.Clamp(t.At).UnixMilli(), 1))
	if n := len(s.Triggers); n > 0 {
		t.Seq = max(t.Seq, s.Triggers[n-1].Seq+1)
	}
	if t.Seq > failover.MaxFence {
		return s, 0, errors.New("the number of the last trigger is the greatest that there can be; delete the key of the job's signals")
	}
	next := Signal{append(slices.Clone(s.Triggers), t), s.Cancels}
	if n := len(next.Encode()); n > MaxSignals {
		return s, 0, fmt.Errorf("%w: the triggers that wait would take %d bytes, and may take %d; wait until some have begun, or name fewer shards", ErrTooLarge, n, MaxSignals)
	}
	return next, t.Seq, nil
}

// Waiting returns the signals without the triggers that no shard awaits. The
// last one stays in any case: the next must get a greater number, also from an
// instance whose clock is behind.
func (s Signal) Waiting(awaited func(failover.Trigger) bool) Signal {
	n := len(s.Triggers)
	if n == 0 {
		return s
	}
	waiting := slices.DeleteFunc(slices.Clone(s.Triggers[:n-1]), func(t failover.Trigger) bool { return !awaited(t) })
	return Signal{append(waiting, s.Triggers[n-1]), s.Cancels}
}

// Encode returns the document as it is stored.
func (s Signal) Encode() []byte {
	d := signalsDoc{V: version, Triggers: []triggerDoc{}}
	for _, t := range s.Triggers {
		d.Triggers = append(d.Triggers, triggerDoc{
			Seq:       t.Seq,
			By:        t.By,
			At:        years.Clamp(t.At),
			Shards:    t.Shards,
			Parameter: t.Parameter,
			Resharded: years.Clamp(t.Resharded),
			Enabled:   years.Clamp(t.Enabled),
			Trace:     traceParent(t.TraceParent),
		})
	}
	for _, c := range s.Cancels {
		d.Cancels = append(d.Cancels, c.clamped())
	}
	return encode(d)
}

// DecodeSignal reads a stored document. A field that it does not know is an
// error: it would be lost with the next trigger.
func DecodeSignal(b []byte) (Signal, error) {
	var d signalsDoc
	if len(b) > MaxDocument {
		return Signal{}, fmt.Errorf("not a job's signals: they have %d bytes, and may have %d", len(b), MaxDocument)
	}
	if err := versioned(b, "a job's signals", &d); err != nil {
		return Signal{}, err
	}
	if len(d.Triggers) > MaxTriggers {
		return Signal{}, fmt.Errorf("signals with %d triggers: want at most %d", len(d.Triggers), MaxTriggers)
	}
	s := Signal{}
	var last uint64
	for _, t := range d.Triggers {
		if t.Seq <= last || t.Seq > failover.MaxFence || t.At.IsZero() {
			return Signal{}, errors.New("signals with triggers out of order, or without a time")
		}
		if err := t.check(); err != nil {
			return Signal{}, fmt.Errorf("signals with trigger %d: %w", t.Seq, err)
		}
		if t.Shards != nil && len(t.Shards) == 0 {
			t.Shards = nil
		}
		last = t.Seq
		s.Triggers = append(s.Triggers, failover.Trigger{
			Seq:         t.Seq,
			By:          t.By,
			At:          t.At,
			Shards:      t.Shards,
			Parameter:   t.Parameter,
			Resharded:   t.Resharded,
			Enabled:     t.Enabled,
			TraceParent: traceParent(t.Trace),
		})
	}
	s.Cancels = d.Cancels
	if len(s.Cancels) > MaxCancels {
		return Signal{}, fmt.Errorf("signals with %d cancels: want at most %d", len(s.Cancels), MaxCancels)
	}
	for i, c := range s.Cancels {
		if i > 0 && c.Seq <= s.Cancels[i-1].Seq {
			return Signal{}, errors.New("signals with cancels out of order")
		}
		if err := c.check(); err != nil {
			return Signal{}, fmt.Errorf("signals with cancel %d: %w", c.Seq, err)
		}
	}
	return s, nil
}

// traceParent returns a traceparent, or nothing in place of other text: a trace
// is never a reason not to run a job.
func traceParent(s string) string {
	if _, _, err := failover.ParseTraceParent(s); err != nil {
		return ""
	}
	return s
}

// check returns an error unless the trigger can be written again.
func (t triggerDoc) check() error {
	if err := within("a trigger", t.At, t.Resharded, t.Enabled); err != nil {
		return err
	}
	if err := CheckID(t.By); err != nil {
		return fmt.Errorf("the ID of its instance %w", err)
	}
	if err := CheckParameter(t.Parameter); err != nil {
		return fmt.Errorf("its parameter %w", err)
	}
	return t.Shards.check()
}
