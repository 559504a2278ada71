package layout

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// MaxTrouble is how many bytes of the last trouble a heartbeat holds.
const MaxTrouble = 200

// Heartbeat is a sign of life that an instance writes once a resync period, in
// an ephemeral key of its own. No instance watches it: the oldest ones list all
// of them, and a console does. Everything but Count is there for people.
type Heartbeat struct {
	Count   uint64    // grows by one with each heartbeat
	Clock   time.Time // the wall clock of the instance
	Version string    // of this module, in the program
	Running int       // runs, from claim to recorded end
	Held    int       // shards that wait for a limit
	Owned   int       // shards
	Stuck   int       // runs longer than their job's timeout
	Lag     Duration  // by which the watches are behind; negative: not known
	Dropped uint64    // events that observers did not take
	Trouble string    // the last one that is not over; at most MaxTrouble bytes
}

type heartbeatDoc struct {
	V       int       `json:"v"`
	Count   uint64    `json:"count"`
	Clock   time.Time `json:"clock"`
	Version string    `json:"version,omitempty"`
	Running int       `json:"running,omitempty"`
	Held    int       `json:"held,omitempty"`
	Owned   int       `json:"owned,omitempty"`
	Stuck   int       `json:"stuck,omitempty"`
	Lag     Duration  `json:"lag,omitzero"`
	Dropped uint64    `json:"dropped,omitempty"`
	Trouble string    `json:"trouble,omitempty"`
}

// Encode returns the document as it is stored, with a clock in milliseconds.
func (h Heartbeat) Encode() []byte {
	return encode(heartbeatDoc{
		V:       version,
		Count:   min(h.Count, failover.MaxFence),
		Clock:   milliseconds(h.Clock),
		Version: clip(h.Version, MaxName),
		Running: h.Running,
		Held:    h.Held,
		Owned:   h.Owned,
		Stuck:   h.Stuck,
		Lag:     h.Lag,
		Dropped: min(h.Dropped, failover.MaxFence),
		Trouble: clip(h.Trouble, MaxTrouble),
	})
}

// DecodeHeartbeat reads a stored document. Fields that it does not know are a
// newer program's, and are ignored.
func DecodeHeartbeat(b []byte) (Heartbeat, error) {
	var d heartbeatDoc
	if err := decode(b, "a heartbeat", &d); err != nil {
		return Heartbeat{}, err
	}
	if d.V != version {
		return Heartbeat{}, wrongVersion("heartbeat", d.V)
	}
	if err := within("a heartbeat", d.Clock); err != nil {
		return Heartbeat{}, err
	}
	if d.Count > failover.MaxFence || d.Dropped > failover.MaxFence || min(d.Running, d.Held, d.Owned, d.Stuck) < 0 {
		return Heartbeat{}, fmt.Errorf("heartbeat with a number that is negative or greater than %d", uint64(failover.MaxFence))
	}
	if len(d.Trouble) > MaxTrouble || len(d.Version) > MaxName {
		return Heartbeat{}, fmt.Errorf("heartbeat with a trouble of %d bytes and a version of %d: want at most %d and %d",
			len(d.Trouble), len(d.Version), MaxTrouble, MaxName)
	}
	return Heartbeat{d.Count, d.Clock, d.Version, d.Running, d.Held, d.Owned, d.Stuck, d.Lag, d.Dropped, d.Trouble}, nil
}

// Clock is the time that one of the oldest instances writes with its heartbeat,
// so that all others can judge their clocks.
type Clock struct {
	Clock time.Time // the wall clock of the instance
	Count uint64    // of its heartbeat
}

type clockDoc struct {
	V     int       `json:"v"`
	Clock time.Time `json:"clock"`
	Count uint64    `json:"count"`
}

// Encode returns the document as it is stored, with a clock in milliseconds.
func (c Clock) Encode() []byte {
	return encode(clockDoc{version, milliseconds(c.Clock), min(c.Count, failover.MaxFence)})
}

// DecodeClock reads a stored document. Fields that it does not know are a newer
// program's, and are ignored.
func DecodeClock(b []byte) (Clock, error) {
	var d clockDoc
	if err := decode(b, "a clock", &d); err != nil {
		return Clock{}, err
	}
	switch {
	case d.V != version:
		return Clock{}, wrongVersion("clock", d.V)
	case d.Clock.IsZero():
		return Clock{}, fmt.Errorf("clock without a time")
	case d.Count > failover.MaxFence:
		return Clock{}, fmt.Errorf("clock with the count %d: want at most %d", d.Count, uint64(failover.MaxFence))
	}
	if err := within("a clock", d.Clock); err != nil {
		return Clock{}, err
	}
	return Clock{d.Clock, d.Count}, nil
}

// milliseconds returns a time as documents hold that of a clock.
func milliseconds(t time.Time) time.Time { return years.Clamp(t).Truncate(time.Millisecond) }

// clip returns the first n bytes of text, or fewer where that would cut a
// character. What is not UTF-8 is left out.
func clip(text string, n int) string {
	for len(text) > n || !utf8.ValidString(text) {
		cut := text[:0]
		for _, c := range text {
			next := string(c)
			if len(cut)+len(next) > n {
				break
			}
			cut += next
		}
		text = cut
	}
	return text
}
