// Package sim runs many instances of the engine on one memory store in virtual time, has faults happen to them that are
// drawn from a seed, and checks everything that follows against the invariants of the protocol.
//
// The engine is the real one, and so is the store: only what crosses between them passes through a gate. Each request to the store
// and each reply, each update of a watch, each renewal of a session, each step of a handler waits there, for a time that is drawn
// from the seed, until the driver lets it go: one at a time, when everything that the one before it has caused has come to rest. A
// process is crashed, frozen or cut off by what the gate does with what waits there, so it happens between any two steps that
// others could tell apart.
//
// # What is deterministic
//
// A [Plan] is drawn from a seed and says everything: the jobs, the clocks, the network, what handlers do, and each fault with its time. Running
// a plan twice gives the same history, byte for byte: every commit, event, run and fault at the same nanosecond, in the same order.
// The test TestASeedRepeatsExactly proves it for hundreds of seeds. It rests on four things:
//
//   - the driver orders what waits by time and name, never by arrival;
//   - no draw depends on the order of others: each is a hash of the seed, of what it is for, and of how many there were of that;
//   - the driver lets go of nothing twice in one nanosecond, so timers that are set by different steps ring at different times; and each
//     instance's clock is off by some nanoseconds, so that they do not all wake at the same full second;
//   - the engine does not let the order of its maps show, and takes what is random from its configuration.
//
// # What is not
//
// Goroutines of one step run side by side on real processors. They touch one another only through the engine's loop, the server's lock and
// the gate, and what they leave there does not depend on who was first, except if two of an engine's own timers ring in the same
// nanosecond by chance: about one seed in ten thousand can have such a pair, and in most nothing comes of it. What a process does after its crash
// is not part of the history: its code ends, and reaches nobody.
//
// Because one step comes after another, data races do not show here. The storms in the root package run freely, under the race
// detector, for that.
package sim
