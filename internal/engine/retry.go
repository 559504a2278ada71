package engine

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// Skipped is an error by which a handler says that there was nothing to do.
type Skipped struct{ Reason string }

func (s *Skipped) Error() string { return "skipped: " + s.Reason }

// Permanent is an error that another try would not mend.
type Permanent struct{ Err error }

func (p *Permanent) Error() string { return p.Err.Error() }
func (p *Permanent) Unwrap() error { return p.Err }

// Again is an error after which the handler wants to be called again.
type Again struct {
	After time.Duration
	Err   error
}

func (a *Again) Error() string { return a.Err.Error() }
func (a *Again) Unwrap() error { return a.Err }

// HandOver is an error by which a handler says that it stopped in good order, for the shard's next owner to go on.
type HandOver struct{ Reason string }

func (h *HandOver) Error() string { return "not finished: " + h.Reason }

// ShortestPause is the least time before a handler is called again. One that
// asks for no time, or less, must not keep a processor busy.
const ShortestPause = 10 * time.Millisecond

// tryAgain reports whether a handler is called again after an outcome, and
// after which delay; with jitter it is the longest delay. tries is how often it
// was called again before.
func tryAgain(spec *layout.Spec, o outcome, tries int) (delay time.Duration, jitter, again bool) {
	switch {
	case o.class == classAgain:
		return max(o.after, ShortestPause), false, true
	case o.class != classFailed || tries >= spec.Retries:
		return 0, false, false
	}
	delay, longest := time.Duration(spec.RetryDelay), time.Duration(spec.RetryMaxDelay)
	for range tries {
		if delay > longest/2 {
			return longest, true, true
		}
		delay *= 2
	}
	return min(delay, longest), true, true
}

// persist calls a handler until it has its result: inside one claim, so a retry
// costs the store nothing.
//
// now was read just before.
func (e *Engine) persist(ctx context.Context, r *run, now time.Time) outcome {
	s, told := r.shard, r.tell()
	for ; ; told.Retry++ {
		if !r.live.heldAt(now) {
			o := notHeld()
			o.retries = max(told.Retry-1, 0)
			return o
		}
		o := call(ctx, r.handler, told)
		o.retries = told.Retry
		delay, jitter, again := tryAgain(r.spec, o, told.Retry)
		if !again || ctx.Err() != nil {
			return o
		}
		if jitter { // full, so that shards that failed together don't come back together
			delay = e.random(min(delay, math.MaxInt64-1) + 1)
		}
		retry := told.Retry + 1
		e.post(func() {
			if o.panic != nil {
				e.emit(s.panicked(o))
			}
			ev := s.runEvent(observe.Retrying)
			ev.Err, ev.Code = o.err, o.code
			ev.Detail = "again in " + delay.Round(time.Millisecond).String()
			ev.Args = map[string]string{"delay": delay.Round(time.Millisecond).String(), "retry": strconv.Itoa(retry)}
			e.emit(ev)
		})
		if sleep(ctx, delay); ctx.Err() != nil {
			return o
		}
		now = time.Now()
	}
}
