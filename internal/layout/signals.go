package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

// MaxTriggers is how many triggers of a job may wait at once. They run one after the other, so more than a few mean that nobody
// looks at what becomes of them.
const MaxTriggers = 20

// Signal is what people ask of a job beside its schedule.
type Signal struct {
	Triggers []failover.Trigger // by their numbers; those that every shard has begun may be missing, but not the last
}

type signalsDoc struct {
	V        int          `json:"v"`
	Triggers []triggerDoc `json:"triggers"`
}

type triggerDoc struct {
	Seq       uint64    `json:"seq"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Shards    []int     `json:"shards,omitempty"` // none: all
	Parameter string    `json:"parameter,omitempty"`
	Resharded time.Time `json:"resharded"`
}

// Add returns the signals with one more trigger, and its number. Numbers are times, in milliseconds since 1970, or one more than the last: they
// grow even if the document was deleted in between.
func (s Signal) Add(t failover.Trigger) (Signal, uint64) {
	t.Seq = uint64(max(t.At.UnixMilli(), 1))
	if n := len(s.Triggers); n > 0 {
		t.Seq = max(t.Seq, s.Triggers[n-1].Seq+1)
	}
	return Signal{append(slices.Clone(s.Triggers), t)}, t.Seq
}

// Waiting returns the signals without the triggers that every shard which they are for has begun. The last one stays in any case: the next
// must get a greater number, also from an instance whose clock is behind.
func (s Signal) Waiting(shards int, records map[int]failover.Record) Signal {
	done := func(t failover.Trigger) bool {
		for shard := range shards {
			if records[shard].Trigger < t.Seq && (t.Shards == nil || slices.Contains(t.Shards, shard)) {
				return false
			}
		}
		return true
	}
	n := len(s.Triggers)
	if n == 0 {
		return s
	}
	waiting := slices.DeleteFunc(slices.Clone(s.Triggers[:n-1]), done)
	return Signal{append(waiting, s.Triggers[n-1])}
}

// Encode returns the document as it is stored.
func (s Signal) Encode() []byte {
	d := signalsDoc{V: version, Triggers: []triggerDoc{}}
	for _, t := range s.Triggers {
		d.Triggers = append(d.Triggers, triggerDoc{t.Seq, t.By, t.At.UTC(), t.Shards, t.Parameter, t.Resharded.UTC()})
	}
	return encode(d)
}

// DecodeSignal reads a stored document.
func DecodeSignal(b []byte) (Signal, error) {
	var d signalsDoc
	if err := json.Unmarshal(b, &d); err != nil {
		return Signal{}, fmt.Errorf("not a job's signals: %w", err)
	}
	if d.V != version {
		return Signal{}, wrongVersion("signals", d.V)
	}
	s := Signal{}
	var last uint64
	for _, t := range d.Triggers {
		if t.Seq <= last || t.Seq > failover.MaxFence || t.At.IsZero() || t.At.UTC().Year() > 9999 || t.At.UTC().Year() < 0 {
			return Signal{}, errors.New("signals with triggers out of order, or without a time")
		}
		if t.Shards != nil && len(t.Shards) == 0 {
			t.Shards = nil
		}
		last = t.Seq
		s.Triggers = append(s.Triggers, failover.Trigger{Seq: t.Seq, By: t.By, At: t.At, Shards: t.Shards, Parameter: t.Parameter, Resharded: t.Resharded})
	}
	return s, nil
}
