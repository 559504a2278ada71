package engine

import (
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Every instance writes a heartbeat once a resync period, in a key that no
// instance watches. The oldest instances also write their clocks, which all
// watch: see clock.go. The heartbeats show an instance that stands still: see
// silence.go.

// heartbeat is the state of this instance's signs of life. It belongs to the
// loop.
type heartbeat struct {
	due     bool // it is to be written
	writing bool
	count   uint64 // of those that were written, in all sessions

	// Whether the two keys of this session are there.
	there, clockThere bool
}

// beat makes a heartbeat.
func (e *Engine) beat() {
	e.pulse.due, e.clocks.round = true, true
	e.judgeClock()
	e.lookForSilent()
}

// publishHeartbeat writes what is due. The clock goes with the heartbeat.
func (e *Engine) publishHeartbeat() {
	m, h := e.me, &e.pulse
	if m == nil || !h.due || h.writing {
		return
	}
	h.due = false
	h.writing = true
	doc := e.heartbeatNow()
	guards := []store.Cond{store.Exists(layout.InstanceKey(m.id))}
	key, clockKey := layout.HeartbeatKey(m.id), layout.ClockKey(m.id)
	op := &move{guards: guards, op: written(key, doc.Encode(), h.there)}
	withClock := e.writesClock()
	if withClock {
		clock := layout.Clock{Clock: doc.Clock, Count: doc.Count}
		op.also = []store.Op{written(clockKey, clock.Encode(), h.clockThere)}
		e.clocks.sending(doc.Clock)
	}
	op.done = func(_ store.Version, err error) {
		if e.me != m {
			return
		}
		h.writing = false
		switch {
		case err == nil:
			h.count = doc.Count
			h.there, h.clockThere = true, h.clockThere || withClock
			e.clocks.beaten()
		case errors.Is(err, store.ErrConflict) && conflictKey(err) == key:
			h.there = !h.there
			h.due = true
			e.lookForSelf() // another program has written here
		case errors.Is(err, store.ErrConflict) && conflictKey(err) == clockKey:
			h.clockThere = !h.clockThere
			h.due = true
		case errors.Is(err, store.ErrConflict):
			e.lookForSelf() // declared dead
		default:
			h.due = true
		}
	}
	e.send(&e.docs, op)
}

// written returns the write of an ephemeral key that is there, or is not.
func written(key string, value []byte, there bool) store.Op {
	if there {
		return store.Set(key, value)
	}
	return store.CreateEphemeral(key, value)
}

// heartbeatNow returns what this instance's next heartbeat says.
func (e *Engine) heartbeatNow() layout.Heartbeat {
	h := layout.Heartbeat{
		Count:   e.pulse.count + 1,
		Clock:   e.cfg.Now().Truncate(time.Millisecond),
		Version: moduleVersion(),
		Running: e.active,
		Held:    len(e.held),
		Stuck:   e.meter.stuck,
	}
	for _, j := range e.jobs {
		for _, s := range j.shards {
			if s.owned && !s.surplus {
				h.Owned++
			}
		}
	}
	if lag := e.clocks.lag(); lag != unknownLag {
		h.Lag = layout.Duration(lag)
	}
	if e.latest != nil && e.latest.subjects > 0 {
		h.Trouble = e.latest.text
	}
	return h
}

// moduleVersion returns the version of this module in the program; empty if it
// is not known.
var moduleVersion = sync.OnceValue(func() string {
	const module = "github.com/elasticjob-go/elastic"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if info.Main.Path == module {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
})
