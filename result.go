package elastic

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
)

// Skip returns an error by which a handler says that there was nothing to do. The run is recorded as skipped, with the reason, and is
// neither a failure nor tried again.
func Skip(reason string) error { return &engine.Skipped{Reason: reason} }

// Permanent returns an error that wraps err and says that trying again would not help: the run has failed, whatever the job's Retries.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &engine.Permanent{Err: err}
}

// HandOver returns an error by which a handler says that it has stopped in good order before it was through, because its shard moves: see
// [Run.Moving]. If the job has Failover the shard's next owner goes on with the run at once, as another attempt that doesn't count against
// MaxAttempts. Else, and if the job is disabled or has lost the shard by then, or the shard does not move, the run has failed.
func HandOver(reason string) error { return &engine.HandOver{Reason: reason} }

// RetryIn returns an error that wraps err and makes the scheduler call the
// handler again after d, inside the same claim. Less than 10 ms counts as
// 10 ms. It does not count against the job's Retries, so a handler that always
// returns it keeps its shard until the job's Timeout. If err is nil, the reason
// is that the handler asked for it.
func RetryIn(d time.Duration, err error) error {
	if err == nil {
		err = errors.New("the handler asked to be called again")
	}
	return &engine.Again{After: d, Err: err}
}
