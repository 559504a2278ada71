package elastic

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// MarshalJSON writes the job with its defaults and the keys of job files, such
// as "timeZone". Durations are texts such as "1m30s".
func (j Job) MarshalJSON() ([]byte, error) {
	return layout.Named{Name: j.Name, Broadcast: j.Broadcast, Spec: j.spec()}.MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON writes. Keys that it does not know are
// an error; missing ones have their defaults. It does not check the values:
// [Job.Validate] does.
func (j *Job) UnmarshalJSON(b []byte) error {
	var n layout.Named
	if err := n.UnmarshalJSON(b); err != nil {
		return err
	}
	*j = jobOf(n.Name, n.Spec)
	j.Broadcast = n.Broadcast
	return nil
}

// jobOf returns the job that has a stored spec.
func jobOf(name string, s layout.Spec) Job {
	return Job{
		Name:            name,
		Description:     s.Description,
		Schedule:        s.Schedule,
		After:           s.After,
		AfterEnds:       s.AfterEnds,
		TimeZone:        s.TimeZone,
		Start:           s.Start,
		End:             s.End,
		Except:          s.Except,
		Jitter:          time.Duration(s.Jitter),
		Shards:          s.Shards,
		Broadcast:       s.Broadcast(),
		Parameter:       s.Parameter,
		ShardParameters: s.ShardParameters,
		Sharding:        s.Sharding,
		Failover:        s.Failover,
		MaxAttempts:     s.MaxAttempts,
		Misfire:         s.Misfire,
		MisfireWindow:   time.Duration(s.MisfireWindow),
		Overlap:         s.Overlap,
		Timeout:         time.Duration(s.Timeout),
		CarryOn:         time.Duration(s.CarryOn),
		Retries:         s.Retries,
		RetryDelay:      time.Duration(s.RetryDelay),
		RetryMaxDelay:   time.Duration(s.RetryMaxDelay),
		MaxConcurrent:   s.MaxConcurrent,
		Requires:        s.Requires,
		DisabledShards:  s.DisabledShards,
		Unclaimed:       s.Unclaimed,
		Disabled:        s.Disabled,
	}
}
