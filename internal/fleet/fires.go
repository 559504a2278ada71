package fleet

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Fires returns the next n fires of the schedule after now, or fewer. A job
// that is disabled, that follows others, or whose fires count from the end of a
// run has none.
func (j *Job) Fires(now time.Time, n int) []time.Time {
	if j.Spec == nil || j.Spec.Disabled || j.policy.AfterEnd {
		return nil
	}
	if len(j.Spec.After) > 0 || j.Spec.Schedule == layout.Manual {
		return nil
	}
	var fires []time.Time
	for t := now; len(fires) < n; {
		t = j.policy.Schedule.Next(t)
		if t.IsZero() {
			break
		}
		fires = append(fires, t.UTC())
	}
	return fires
}
