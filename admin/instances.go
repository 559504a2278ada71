package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// Instances returns the live instances, the oldest first. It sends three lists,
// and one for each set of jobs that it has not seen.
func (c *Client) Instances(ctx context.Context) ([]status.Instance, error) {
	read, err := c.lists(ctx, layout.Instances, layout.Assignments, layout.Cordons)
	if err != nil {
		return nil, fmt.Errorf("read the instances: %w", err)
	}
	ns, err := c.namespace(ctx, read[0], read[2])
	if err != nil {
		return nil, fmt.Errorf("read the jobs of instances: %w", err)
	}
	owned := fleet.Owned(read[1])
	all := make([]status.Instance, len(ns.Instances))
	for i, instance := range ns.Instances {
		all[i] = instance.Status(owned[instance.ID])
	}
	return all, nil
}

// matches reports whether a text has all words of a search, in any case.
func matches(text, search string) bool {
	text = strings.ToLower(text)
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// InstanceDetail is one instance, and what it does.
type InstanceDetail struct {
	status.Instance

	// Shards are the shards that it owns or runs. Their records were read.
	Shards []status.Shard `json:"shards"`
}

// Instance returns a live instance with its shards. It sends six lists, and
// one for each job of which the instance owns shards.
func (c *Client) Instance(ctx context.Context, id string) (InstanceDetail, error) {
	d, err := c.instance(ctx, id)
	if err != nil {
		return InstanceDetail{}, fmt.Errorf("read instance %q: %w", id, err)
	}
	return d, nil
}

func (c *Client) instance(ctx context.Context, id string) (InstanceDetail, error) {
	if err := layout.CheckID(id); err != nil {
		return InstanceDetail{}, invalid("the ID of an instance %w", err)
	}
	v, err := c.fleet(ctx)
	if err != nil {
		return InstanceDetail{}, err
	}
	i := v.Instance(id)
	if i == nil {
		return InstanceDetail{}, fmt.Errorf("there is no such instance: %w", ErrNotFound)
	}
	var jobs []*fleet.Job
	for _, j := range v.jobs {
		if j.Assignment != nil && slices.Contains(j.Assignment.Owners, id) {
			jobs = append(jobs, j)
		}
	}
	if _, err := c.readRecords(ctx, jobs); err != nil {
		return InstanceDetail{}, err
	}
	var d InstanceDetail
	now := c.now()
	for _, j := range jobs {
		for _, s := range v.Shards(j, now) {
			if s.Owner == id || s.RunsOn == id {
				d.Shards = append(d.Shards, s)
			}
		}
	}
	owned := 0
	for _, s := range d.Shards {
		if s.Owner == id {
			owned++
		}
	}
	d.Instance = i.Status(owned)
	return d, nil
}

// Cordoned is a wish of an operator about instances, or about the namespace.
type Cordoned struct {
	Target  string        `json:"target"` // as Cordon takes it; @all is the namespace
	Action  string        `json:"action"` // cordon, drain, leave or pause
	Changed status.Change `json:"changed"`

	// Reason says why the document can't be read, if it can't.
	Reason status.Reason `json:"reason,omitzero"`
}

// Cordons returns the cordons and the pause that are in force. It sends one
// list.
func (c *Client) Cordons(ctx context.Context) ([]Cordoned, error) {
	read, err := c.lists(ctx, layout.Cordons)
	if err != nil {
		return nil, fmt.Errorf("read the cordons: %w", err)
	}
	var all []Cordoned
	for _, e := range read[0] {
		name, ok := layout.NameOf(layout.Cordons, e.Key)
		if !ok {
			continue
		}
		doc, err := layout.DecodeCordon(name, e.Value)
		if err != nil {
			all = append(all, Cordoned{Target: name, Reason: fleet.Unreadable(e.Key, err)})
			continue
		}
		if doc.Action == layout.ActionNone {
			continue
		}
		if doc.Match == layout.MatchHost {
			name = hostPrefix + name
		}
		all = append(all, Cordoned{Target: name, Action: string(doc.Action), Changed: changeOf(doc.Changed)})
	}
	return all, nil
}
