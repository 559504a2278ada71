package engine

import (
	"context"
	"errors"
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

// tryAgain says whether a handler that returned err is called again, and after which delay at most. tries is how often it was already.
func tryAgain(spec *layout.Spec, err error, tries int) (delay time.Duration, jitter, again bool) {
	var skipped *Skipped
	var permanent *Permanent
	var unfinished *HandOver
	var asked *Again
	switch {
	case err == nil, errors.As(err, &skipped), errors.As(err, &permanent), errors.As(err, &unfinished):
		return 0, false, false
	case errors.As(err, &asked):
		return max(asked.After, 0), false, true
	case tries >= spec.Retries:
		return 0, false, false
	}
	delay, longest := time.Duration(spec.RetryDelay), time.Duration(spec.RetryMaxDelay)
	for range tries {
		if delay *= 2; delay >= longest {
			break
		}
	}
	return min(delay, longest), true, true
}

// persist calls a handler until it has its result: inside one claim, so a retry costs the store nothing.
func (e *Engine) persist(ctx context.Context, s *shard, spec *layout.Spec, h Handler, told Run) error {
	for ; ; told.Retry++ {
		if !told.Live.Held() {
			return ErrSessionLost
		}
		err := call(ctx, h, told)
		delay, jitter, again := tryAgain(spec, err, told.Retry)
		if !again || ctx.Err() != nil {
			return err
		}
		if jitter { // full, so that shards that failed together don't come back together
			delay = e.cfg.Rand(delay + 1)
		}
		e.post(func() {
			ev := s.event(observe.Retrying)
			ev.Err, ev.Detail = err, "again in "+delay.Round(time.Millisecond).String()
			e.emit(ev)
		})
		if sleep(ctx, delay); ctx.Err() != nil {
			return err
		}
	}
}
