package engine

import (
	"cmp"
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// class is what a handler's return asks for.
type class uint8

// The classes.
const (
	classDone     class = iota // it returned nil
	classFailed                // an error that another try may mend
	classFatal                 // an error that another try would not mend
	classSkipped               // there was nothing to do
	classAgain                 // it wants to be called again
	classHandOver              // it has stopped for the shard's next owner
)

// The codes of the results of runs. They are part of events, and keep their
// meaning.
const (
	codeHandlerError    = "handler_error"    // the handler returned an error
	codeHandlerPanicked = "handler_panicked" // the handler panicked
	codeHandlerExited   = "handler_exited"   // the handler called runtime.Goexit
	codeErrorPanicked   = "error_panicked"   // a method of the error that it returned panicked, or called runtime.Goexit
	codeErrorBlocked    = "error_blocked"    // a method of the error that it returned did not return
	codeTimeout         = "timeout"          // the run took longer than the job's timeout, and returned an error
	codeSessionLost     = "session_lost"     // the session was over before the handler was called
	codeReplaced        = "replaced"         // a later fire has replaced the run
	codeCancelled       = "cancelled"        // an operator cancelled the run
	codeSkipped         = "handler_skipped"  // the handler says that there was nothing to do
	codeAskedAgain      = "asked_again"      // the handler asked to be called again
	codeInstanceLeaves  = "instance_leaves"  // the handler was stopped because its instance leaves
	codeShardMoved      = "shard_moved"      // the handler stopped because its shard is another instance's by now
)

// outcome is what a call of a handler came to. The loop reads it, so nothing in
// it calls a method of the program: the error has its text.
type outcome struct {
	class class
	code  string
	err   error         // nil if the handler returned nil
	text  string        // why it skipped, or the text of the error
	after time.Duration // of classAgain
	panic *guard.Panic

	retries int // how often the handler was called again before
}

// judge finds out what an error that a handler returned means. The methods of
// the error may panic, block or exit: then the run has failed, and is not tried
// again where they don't return, since each try would leave a goroutine behind.
func judge(err error) outcome {
	if err == nil {
		return outcome{class: classDone}
	}
	if err == ErrSessionLost { // that of whatever looks at the clocks before the handler
		return notHeld()
	}
	o, fault := classify(err)
	text, unshown := guard.Show(innermost(err))
	if fault != nil && unshown == nil {
		text += ", an error of which another method " + fault.Error()
	}
	o.err = &guard.Error{Err: err, Text: text}
	if o.class != classSkipped {
		o.text = text
	}
	fault = cmp.Or(unshown, fault)
	switch blocked := (*guard.Blocked)(nil); {
	case fault == nil:
	case errors.As(fault, &blocked):
		o.class, o.code = classFatal, codeErrorBlocked
	default:
		o.code = codeErrorPanicked
	}
	return o
}

// innermost returns the error inside those that this module has wrapped around
// it, whose texts are that of the inner one.
func innermost(err error) error {
	for {
		var inner error
		switch e := err.(type) {
		case *Permanent:
			inner = e.Err
		case *Again:
			inner = e.Err
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

// classify returns the class of an error, with its code, and a fault if a
// method of the error keeps it from being known.
func classify(err error) (outcome, error) {
	o, fault := guard.Call(guard.Patience, func() outcome {
		var skipped *Skipped
		var permanent *Permanent
		var unfinished *HandOver
		var asked *Again
		switch {
		case guard.IsNil(err):
			return outcome{class: classFailed, code: codeHandlerError}
		case errors.As(err, &skipped):
			return outcome{class: classSkipped, code: codeSkipped, text: skipped.Reason}
		case errors.As(err, &permanent):
			return outcome{class: classFatal, code: codeHandlerError}
		case errors.As(err, &unfinished):
			return outcome{class: classHandOver, code: codeHandlerError}
		case errors.As(err, &asked):
			return outcome{class: classAgain, code: codeAskedAgain, after: asked.After}
		}
		return outcome{class: classFailed, code: codeHandlerError}
	})
	if fault != nil {
		return outcome{class: classFailed, code: codeErrorPanicked}, fault
	}
	return o, nil
}

// notHeld is the outcome of a call that was not made, or went no further,
// because the session is over.
func notHeld() outcome {
	return outcome{class: classFailed, code: codeSessionLost, err: ErrSessionLost, text: ErrSessionLost.Error()}
}

// crashed is the outcome of a call whose handler panicked.
func crashed(p *guard.Panic) outcome {
	text := "the handler " + p.Error()
	return outcome{class: classFailed, code: codeHandlerPanicked, err: errors.New(text), text: text, panic: p}
}

// exited is the outcome of a call whose handler ended its goroutine.
func exited() outcome {
	return outcome{class: classFatal, code: codeHandlerExited, err: errExited, text: errExited.Error()}
}
