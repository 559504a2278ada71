package alarm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Target is a destination of alarms.
type Target interface {
	// Name returns the name of the target for errors. It must not have secrets.
	Name() string

	// Send sends one message. It must return soon after ctx ends. It is called
	// from one goroutine. Its error must not have secrets.
	Send(ctx context.Context, m Message) error
}

// pauses are the waits before the second and the third attempt to send a
// message.
var pauses = [...]time.Duration{time.Second, 5 * time.Second}

// out is a target with its queue.
type out struct {
	target  Target
	timeout time.Duration
	onError func(error)
	queue   chan Message
	waiting atomic.Int64 // messages that are not sent yet
	omitted atomic.Int64 // alarms that were not sent since the last message
}

// put adds a message to the queue, if there is room.
func (o *out) put(m Message) {
	o.waiting.Add(1)
	select {
	case o.queue <- m:
	default:
		o.waiting.Add(-1)
		o.leaveOut(m, fmt.Errorf("the queue is full with %d messages", cap(o.queue)))
	}
}

// leaveOut counts a message that is not sent.
func (o *out) leaveOut(m Message, err error) {
	o.omitted.Add(int64(m.Count + m.Omitted))
	if o.onError == nil {
		return
	}
	defer func() { _ = recover() }() // the error was for OnError itself
	o.onError(fmt.Errorf("alarm %q was not sent to %s: %w", m.Title(), o.target.Name(), err))
}

// send sends messages until the queue is closed and empty.
func (o *out) send(ctx context.Context) {
	for m := range o.queue {
		omitted := o.omitted.Swap(0)
		m.Omitted += int(omitted)
		if err := o.deliver(ctx, m); err != nil {
			o.leaveOut(m, err)
		}
		o.waiting.Add(-1)
	}
}

// deliver makes up to three attempts to send a message.
func (o *out) deliver(ctx context.Context, m Message) (err error) {
	for try := 0; ; try++ {
		if err = o.try(ctx, m); err == nil || try == len(pauses) {
			return err
		}
		pause := time.NewTimer(pauses[try])
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (o *out) try(ctx context.Context, m Message) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked: %v", v)
		}
	}()
	return o.target.Send(ctx, m)
}
