package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Request describes one call of a [Portable] store that has returned. It has no
// keys, values or error texts, so it can't hold a secret.
type Request struct {
	Driver   string        // Caps.Driver: "etcd"
	Op       RequestOp     // the method that was called
	Outcome  Outcome       // the class of its error
	Duration time.Duration // from the call to its return, by the monotonic clock
	Missed   int           // requests before this one that the observer was not told of, see Portable.Observe
}

// RequestOp names the method that a Request called.
type RequestOp string

// The operations. There may be more in a later version.
const (
	RequestGet     RequestOp = "get"
	RequestList    RequestOp = "list"
	RequestDigest  RequestOp = "digest"
	RequestCommit  RequestOp = "commit"
	RequestSession RequestOp = "session" // NewSession
	RequestWatch   RequestOp = "watch"   // the start of a watch
)

// Outcome is the class of a request's error: one for each sentinel error of
// this package. The strings are stable and suit a label of a metric.
type Outcome string

// The outcomes.
const (
	OutcomeOK          Outcome = "ok"
	OutcomeNotFound    Outcome = "not_found"
	OutcomeConflict    Outcome = "conflict"
	OutcomeSessionLost Outcome = "session_lost"
	OutcomeUnknown     Outcome = "unknown"
	OutcomeUnavailable Outcome = "unavailable" // ErrEnded too
	OutcomeTooLarge    Outcome = "too_large"
	OutcomeInvalid     Outcome = "invalid"
	OutcomePermission  Outcome = "permission"
	OutcomeClosed      Outcome = "closed"
	OutcomeCanceled    Outcome = "canceled" // the caller's context ended, and the driver said no more
	OutcomeOther       Outcome = "other"    // an error outside the contract: a fault of the driver
)

// outcomes is in the order in which an error that is several is named: the one
// that says most about what was applied is first.
var outcomes = []struct {
	err     error
	outcome Outcome
}{
	{ErrUnknown, OutcomeUnknown},
	{ErrSessionLost, OutcomeSessionLost},
	{ErrConflict, OutcomeConflict},
	{ErrNotFound, OutcomeNotFound},
	{ErrTooLarge, OutcomeTooLarge},
	{ErrPermission, OutcomePermission},
	{ErrInvalid, OutcomeInvalid},
	{ErrClosed, OutcomeClosed},
	{ErrUnavailable, OutcomeUnavailable},
	{context.Canceled, OutcomeCanceled},
	{context.DeadlineExceeded, OutcomeCanceled},
}

// OutcomeOf returns the class of an error of a store; OutcomeOK for nil.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeOK
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.outcome
		}
	}
	return OutcomeOther
}

// Observe has f called after each request of this store: each call of Get,
// List, Digest, Commit, NewSession and Watch that was sent to the driver,
// whether it failed or not. Calls that were refused before anything was sent,
// because the request was invalid, the store closed or the context over, are
// not told; nor are renewals of sessions and messages of watches, which are the
// driver's own. Counts counts the same calls.
//
// f is called from one goroutine, in the order in which the requests returned,
// and soon afterwards; no request waits for it. Where f takes long, up to
// observerQueue requests wait for it, and later ones are not told: the next
// Request says in Missed how many. A panic of f is recovered, and f is called
// for the next request.
//
// There may be several observers. stop ends the calls; one that is under way
// may still go on when stop returns. stop may be called more than once. The
// store keeps no goroutine for an observer that has nothing to be told.
func (p *Portable) Observe(f func(Request)) (stop func()) {
	o := &observer{tell: f}
	p.observersMu.Lock()
	defer p.observersMu.Unlock()
	p.setObservers(func(all []*observer) []*observer { return append(all, o) })
	return func() {
		p.observersMu.Lock()
		defer p.observersMu.Unlock()
		p.setObservers(func(all []*observer) []*observer {
			return deleteObserver(all, o)
		})
		o.stop()
	}
}

// setObservers replaces the list of observers, which is never changed in place.
// The caller holds p.observersMu.
func (p *Portable) setObservers(change func([]*observer) []*observer) {
	var all []*observer
	if old := p.observers.Load(); old != nil {
		all = append(all, *old...)
	}
	all = change(all)
	p.observers.Store(&all)
}

func deleteObserver(all []*observer, o *observer) []*observer {
	kept := all[:0]
	for _, other := range all {
		if other != o {
			kept = append(kept, other)
		}
	}
	return kept
}

// tellObservers tells of a request that has returned.
func (p *Portable) tellObservers(op RequestOp, took time.Duration, err error) {
	all := p.observers.Load()
	if all == nil || len(*all) == 0 {
		return
	}
	r := Request{Driver: p.caps.Driver, Op: op, Outcome: OutcomeOf(err), Duration: took}
	for _, o := range *all {
		o.put(r)
	}
}

// observerQueue bounds the requests that wait for a slow observer: a few
// seconds of a busy instance, and about 100 KiB.
const observerQueue = 1024

// observer is a function of the program with what it is to be told. A goroutine
// calls the function while there is something to tell.
type observer struct {
	tell func(Request)

	mu      sync.Mutex
	waiting []Request
	missed  int  // since the last request in waiting
	running bool // a goroutine tells what waits
	stopped bool
}

func (o *observer) put(r Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return
	}
	if len(o.waiting) == observerQueue {
		o.missed++
		return
	}
	r.Missed, o.missed = o.missed, 0
	o.waiting = append(o.waiting, r)
	if !o.running {
		o.running = true
		go o.run()
	}
}

func (o *observer) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped, o.waiting = true, nil
}

// run tells what waits, and ends when there is nothing.
func (o *observer) run() {
	finished := false
	defer func() {
		if !finished { // the function has called runtime.Goexit
			go o.run()
		}
	}()
	for {
		r, ok := o.next()
		if !ok {
			finished = true
			return
		}
		o.call(r)
	}
}

// next takes the request that waits longest. Without one the goroutine must
// end.
func (o *observer) next() (Request, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		o.waiting, o.running = nil, false
		return Request{}, false
	}
	r := o.waiting[0]
	o.waiting = o.waiting[1:]
	return r, true
}

func (o *observer) call(r Request) {
	defer func() { _ = recover() }() // it is the program's to notice; the store goes on
	o.tell(r)
}
