package fleet

import (
	"fmt"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/sharding"
)

// Placement is the answer to whether an instance may own shards of a job.
type Placement struct {
	ID   string
	May  bool
	Code string // why not; empty if it may
	Text string
}

// Place says of each live instance whether it may own shards of a job.
func (n *Namespace) Place(j *Job) []Placement {
	all := make([]Placement, len(n.Instances))
	for i, in := range n.Instances {
		all[i] = placement(j, in)
	}
	return all
}

func placement(j *Job, in *Instance) Placement {
	p := Placement{ID: in.ID}
	switch {
	case in.Err != nil:
		p.Code, p.Text = "unreadable", "its key can't be read"
	case !in.Has(j.Name):
		p.Code, p.Text = "lacks_job", "it does not have the job"
	case in.State == layout.Draining:
		p.Code, p.Text = "draining", "it is draining"
	case in.State == layout.ClockOff:
		p.Code, p.Text = "clock_off", "its clock differs from most others'"
	case in.cordon != nil:
		p.Code, p.Text = "cordoned", cordonWords(*in.cordon)
	case j.Spec != nil && !in.Meets(j.Spec.Requires):
		p.Code, p.Text = "lacks_labels", "it lacks "+layout.Labels(lacking(in.Labels, j.Spec.Requires))
	default:
		p.May = true
	}
	return p
}

// lacking returns the labels that are required and not there.
func lacking(labels, requires map[string]string) map[string]string {
	missing := map[string]string{}
	for name, value := range requires {
		if have, ok := labels[name]; !ok || have != value {
			missing[name] = value
		}
	}
	return missing
}

// Candidates returns the instances that may own shards of a job, as a strategy
// gets them.
func (n *Namespace) Candidates(j *Job) []sharding.Instance {
	var live []sharding.Instance
	for i, p := range n.Place(j) {
		if p.May {
			live = append(live, sharding.Instance{ID: p.ID, Weight: n.Instances[i].Weight})
		}
	}
	return live
}

// WhereWords says why the owner of a shard has it.
func (n *Namespace) WhereWords(j *Job, shard int) string {
	a := j.Assignment
	if a == nil || j.Spec == nil || shard >= len(a.Owners) {
		return "no instance has been given the shard"
	}
	owner := a.Owners[shard]
	if owner == "" {
		return fmt.Sprintf("no instance may own it, since epoch %d", a.Epoch)
	}
	strategy, err := sharding.ByName(j.Spec.Sharding)
	if err != nil || j.Spec.Broadcast() {
		return fmt.Sprintf("%s, by the strategy %s, since epoch %d", owner, j.Spec.Sharding, a.Epoch)
	}
	e := sharding.Explain(strategy, j.Name, j.Spec.Shards, n.Candidates(j), a.Owners, shard)
	switch {
	case e.Owner == "":
		return owner + ", and no live instance may own it now"
	case e.Owner != owner:
		return fmt.Sprintf("%s now; %s moves it to %s", owner, j.Spec.Sharding, e.Owner)
	}
	return fmt.Sprintf("%s: %s leaves it there (it has %d of %d shards, its share is %.1f, since epoch %d)",
		owner, j.Spec.Sharding, e.Holds, j.Spec.Shards, e.Fair, a.Epoch)
}
