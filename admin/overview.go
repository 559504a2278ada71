package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/status"
)

// Overview is the state of a namespace in a few figures, and what needs a
// person.
type Overview struct {
	Jobs      map[status.JobState]int      `json:"jobs"`      // by state
	Instances map[status.InstanceState]int `json:"instances"` // by state
	Shards    int                          `json:"shards"`
	Running   int                          `json:"running"`

	// Problems are the jobs in the states unreadable, stuck, unowned, late and
	// failed: at most MaxPage, the most urgent first.
	Problems []status.Job `json:"problems"`

	// Cordons are what operators keep from working. A pause is one of them.
	Cordons []Cordoned `json:"cordons,omitempty"`

	AsOf   time.Time `json:"asOf"`
	Unread int       `json:"unread,omitempty"` // jobs whose records were too many to read
}

// Overview sends seven lists, and one for each job.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	o, err := c.overview(ctx)
	if err != nil {
		return Overview{}, fmt.Errorf("read the overview: %w", err)
	}
	return o, nil
}

func (c *Client) overview(ctx context.Context) (Overview, error) {
	v, err := c.fleet(ctx)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{
		Jobs:      map[status.JobState]int{},
		Instances: map[status.InstanceState]int{},
		AsOf:      c.now().UTC(),
	}
	o.Unread, err = c.readRecords(ctx, v.jobs)
	if err != nil {
		return Overview{}, err
	}
	o.Cordons, err = c.Cordons(ctx)
	if err != nil {
		return Overview{}, err
	}
	for _, i := range v.Namespace.Instances {
		o.Instances[i.Status(0).State]++
	}
	last := slices.Index(urgency, status.JobFailed)
	for _, j := range v.jobs {
		s := v.Status(j, o.AsOf)
		o.Jobs[s.State]++
		o.Shards += s.Shards
		o.Running += s.Running
		if slices.Index(urgency, s.State) <= last {
			o.Problems = append(o.Problems, s)
		}
	}
	slices.SortStableFunc(o.Problems, func(a, b status.Job) int {
		return slices.Index(urgency, a.State) - slices.Index(urgency, b.State)
	})
	o.Problems = o.Problems[:min(len(o.Problems), MaxPage)]
	return o, nil
}
