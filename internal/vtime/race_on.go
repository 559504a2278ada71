//go:build race

package vtime

import (
	"runtime"
	"sync"
)

// Up to Go 1.26 at least, all timers of a bubble share one context of the race detector, and goroutines that receive from
// timers' channels at once corrupt it: the process dies with a fault somewhere in the detector. One processor makes "at
// once" impossible. The detector still finds what races: it compares orders, it does not wait for accidents. It stays at
// one processor, because tests may run in parallel and the last to end is not known.
var oneProcessor = sync.OnceFunc(func() { runtime.GOMAXPROCS(1) })
