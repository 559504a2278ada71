package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// fault is a fault of a mix, which is repaired later.
type fault struct {
	at     time.Duration // since the mix began
	lasts  time.Duration
	what   string
	place  int           // whom it hits; -1: the store
	amount time.Duration // how slow, how wrong, how often
}

func (f fault) String() string {
	whom := "the store"
	if f.place >= 0 {
		whom = fmt.Sprintf("w%d", f.place)
	}
	text := fmt.Sprintf("%6.2fs %-9s %-9s for %s", f.at.Seconds(), whom, f.what, f.lasts.Round(10*time.Millisecond))
	if f.amount != 0 {
		text += fmt.Sprintf(" (%s)", f.amount.Round(10*time.Millisecond))
	}
	return text
}

// pause is the average time between two faults.
const pause = 1500 * time.Millisecond

// plan draws the faults of a mix. They depend on its arguments only, so that
// other libraries get the same faults.
//
// A place has one fault at a time, and so has the store, but all of them can
// have one at the same time.
func plan(r *rand.Rand, duration, ttl time.Duration, places, nodes int) (all []fault) {
	free := make([]time.Duration, places) // when each is well again, with a moment to find out
	storeFree := 2 * ttl
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(r.Int64N(int64(b-a))) }
	for at := time.Duration(0); ; {
		at += time.Duration(r.Int64N(int64(2 * pause)))
		if at >= duration {
			return all
		}
		f := fault{at: at, place: r.IntN(places)}
		kind, onStore := r.IntN(len(onPlaces)), r.IntN(6) == 0 // drawn whether they are needed or not
		f.what = onPlaces[kind]
		if onStore && nodes > 0 {
			f.place, f.what = -1, onStores[r.IntN(len(onStores))]
		}
		switch f.what {
		case "freeze":
			f.lasts = between(ttl*5/4, 3*ttl)
		case "stutter":
			f.lasts = between(ttl/10, ttl/4)
		case "cut", "black hole", "deaf", "dumb":
			f.lasts = between(ttl/4, 3*ttl)
		case "slow":
			f.lasts, f.amount = between(ttl, 3*ttl), between(ttl/50, ttl/6)
		case "flap":
			f.lasts, f.amount = between(ttl, 3*ttl), between(100*time.Millisecond, time.Second)
		case "mute":
			f.lasts = 2 * ttl
		case "clock":
			f.lasts, f.amount = between(ttl, 4*ttl), between(-skew, skew)
		case "crash":
			f.lasts = between(0, ttl/2)
		case "outage":
			f.lasts = between(ttl, 3*ttl)
		case "hang":
			f.lasts = between(ttl/4, 2*ttl)
		default: // kill, leave: until it is started again
			f.lasts = between(0, 2*ttl)
		}
		busy := &storeFree
		if f.place >= 0 {
			busy = &free[f.place]
		}
		if f.at < *busy {
			continue
		}
		*busy = f.at + f.lasts + ttl/2
		all = append(all, f)
	}
}

// onPlaces are the faults of a process, and of its path to the store. A fault
// that is listed twice happens twice as often.
var onPlaces = []string{
	"kill", "kill", "kill", "leave", "freeze", "stutter", "clock",
	"cut", "black hole", "deaf", "dumb", "slow", "flap", "mute",
}

// onStores are the faults of a store.
var onStores = []string{"crash", "crash", "outage", "hang", "hang"}

// onProcesses are those of onPlaces that need no network.
var onProcesses = []string{"kill", "leave", "freeze", "stutter", "clock"}

// fit changes the faults to those of a fleet that is one process.
func fit(all []fault) []fault {
	return slices.DeleteFunc(all, func(f fault) bool { return !slices.Contains(onProcesses, f.what) })
}
