package alarm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Target is where alarms go.
type Target interface {
	// Name says in errors which target it is. It must not hold secrets.
	Name() string

	// Send sends one message. It returns soon after ctx ends. It is called from one goroutine. Its error must not hold secrets.
	Send(ctx context.Context, m Message) error
}

// pauses are before the second attempt to send a message, and before the third.
var pauses = [...]time.Duration{time.Second, 5 * time.Second}

// out is one target with the messages that wait for it.
type out struct {
	target  Target
	timeout time.Duration
	onError func(error)
	queue   chan Message
	waiting atomic.Int64 // messages that are not sent yet, the one under way included
	omitted atomic.Int64 // alarms that were not sent since the last that was
}

// put has a message wait, if there is room.
func (o *out) put(m Message) {
	o.waiting.Add(1)
	select {
	case o.queue <- m:
	default:
		o.waiting.Add(-1)
		o.leaveOut(m, fmt.Errorf("%d messages wait already", cap(o.queue)))
	}
}

// leaveOut counts a message that is not sent.
func (o *out) leaveOut(m Message, err error) {
	o.omitted.Add(int64(m.Count + m.Omitted))
	if o.onError == nil {
		return
	}
	defer func() { _ = recover() }() // there is nobody left to tell
	o.onError(fmt.Errorf("alarm %q was not sent to %s: %w", m.Title(), o.target.Name(), err))
}

// send sends messages until there are no more.
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

// deliver tries to send a message, three times.
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
