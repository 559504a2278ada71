package elastic

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
)

// Skip returns an error for a handler that had nothing to do. The run is
// recorded as skipped, with the reason. It has not failed and is not retried.
func Skip(reason string) error { return &engine.Skipped{Reason: reason} }

// Permanent returns an error that wraps err and stops the retries: the run has
// failed, whatever the Retries of the job. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &engine.Permanent{Err: err}
}

// HandOver returns an error for a handler that has stopped in good order before
// the end, because its shard moves; see [Run.Moving]. If the job has Failover,
// the next owner of the shard continues the run at once, as another attempt
// that does not count against MaxAttempts. Otherwise the run has failed. It has
// also failed if the job is disabled, has lost the shard, or the shard does not
// move.
func HandOver(reason string) error { return &engine.HandOver{Reason: reason} }

// RetryIn returns an error that wraps err and makes the scheduler call the
// handler again after d, within the same claim. Less than 10 ms counts as 10
// ms. It does not count against the Retries of the job: a handler that always
// returns it keeps its shard until the Timeout of the job. If err is nil, a
// generic error is used.
func RetryIn(d time.Duration, err error) error {
	if err == nil {
		err = errors.New("the handler asked to be called again")
	}
	return &engine.Again{After: d, Err: err}
}
