package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// JobDetail is all about one job but its shards.
type JobDetail = elastic.JobDetail

// nextFires is how many fires a detail has.
const nextFires = 5

// Job returns one job. It sends three gets and three lists.
func (c *Client) Job(ctx context.Context, name string) (JobDetail, error) {
	j, ns, err := c.job(ctx, name)
	if err != nil {
		return JobDetail{}, fmt.Errorf("read job %q: %w", name, err)
	}
	now := c.now()
	d := JobDetail{
		Job:     ns.Status(j, now),
		Fires:   j.Fires(now, nextFires),
		Waiting: j.Triggers(),
		Cancels: j.Cancels(),
	}
	if j.Doc == nil || j.Doc.Spec == nil {
		return d, nil
	}
	d.Config, err = jobOf(name, *j.Doc.Spec)
	if err != nil {
		return JobDetail{}, fmt.Errorf("read job %q: %w", name, err)
	}
	return d, nil
}

// Revision is one version of a job.
type Revision struct {
	Rev     uint64        `json:"rev"`
	State   string        `json:"state"` // job, or removed
	Changed status.Change `json:"changed"`
	Config  elastic.Job   `json:"config"`

	// Changes are the fields in which it differs from the one before. They are
	// empty if that one is not kept any more.
	Changes []Change `json:"changes,omitempty"`
}

// Revisions returns the revision that a job has and up to eight that it had
// before, the latest first. It sends a get and a list.
func (c *Client) Revisions(ctx context.Context, job string) ([]Revision, error) {
	all, err := c.revisions(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("read the revisions of job %q: %w", job, err)
	}
	return all, nil
}

func (c *Client) revisions(ctx context.Context, job string) ([]Revision, error) {
	s, err := c.readJob(ctx, job)
	switch {
	case err != nil:
		return nil, err
	case s.version == 0:
		return nil, fmt.Errorf("there is no such job: %w", ErrNotFound)
	}
	read, err := c.lists(ctx, layout.RevisionsOf(job))
	if err != nil {
		return nil, err
	}
	docs := map[uint64]layout.Job{}
	if s.err == nil {
		docs[s.doc.Rev] = s.doc
	}
	for _, e := range read[0] {
		doc, err := layout.DecodeJob(e.Value)
		if err == nil { // one that can't be read is none to go back to
			docs[doc.Rev] = doc
		}
	}
	var all []Revision
	for rev, doc := range docs {
		r := Revision{Rev: rev, State: string(doc.State), Changed: changeOf(doc.Changed)}
		if doc.Spec != nil {
			r.Config, err = jobOf(job, *doc.Spec)
			if err != nil {
				return nil, err
			}
			if before, ok := docs[rev-1]; ok && before.Spec != nil {
				for _, d := range differences(*before.Spec, *doc.Spec) {
					r.Changes = append(r.Changes, Change(d))
				}
			}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Revision) int {
		if a.Rev > b.Rev {
			return -1
		}
		return 1
	})
	return all, nil
}

// Differences returns the fields in which two jobs differ, as b changes a.
func Differences(a, b elastic.Job) ([]Change, error) {
	before, err := specOf(a)
	if err != nil {
		return nil, err
	}
	after, err := specOf(b)
	if err != nil {
		return nil, err
	}
	var all []Change
	for _, d := range differences(before, after) {
		all = append(all, Change(d))
	}
	return all, nil
}

// ParseShards reads a list of shards such as "0,3-5": numbers and ranges,
// sorted.
func ParseShards(text string) ([]int, error) {
	var s layout.Shards
	if err := s.UnmarshalText([]byte(text)); err != nil {
		return nil, invalid("%w", err)
	}
	return s, nil
}

// FormatShards writes a list of shards as ParseShards reads it.
func FormatShards(shards []int) string { return rangesOf(shards) }
