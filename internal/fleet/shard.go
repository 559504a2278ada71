package fleet

import (
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// Shard returns one shard of a job.
func (n *Namespace) Shard(j *Job, shard int, now time.Time) status.Shard {
	s := status.Shard{Job: j.Name, Shard: shard}
	if a := j.Assignment; a != nil && shard < len(a.Owners) {
		s.Owner = a.Owners[shard]
		s.OwnerAlive = n.Alive(s.Owner)
	}
	r, read := j.Records[shard]
	if read && r.Err == nil {
		showRun(&s, r.Record)
	}
	switch {
	case j.Err != nil:
		s.State, s.Reason = status.ShardUnreadable, Unreadable(j.Key, j.Err)
	case j.Absent():
		s.State, s.Reason = status.ShardDisabled, j.whyAbsent()
	case j.Spec == nil:
		s.State = status.ShardUnowned
		s.Reason = status.Reason{Code: status.CodeNotInStore, Text: "the job is not in the store yet"}
	case r.Err != nil:
		s.State, s.Reason = status.ShardUnreadable, Unreadable(layout.RunKey(j.Name, shard), r.Err)
	default:
		n.judge(&s, j, r.Record, read, now)
	}
	return s
}

// showRun fills in the run in progress, or the last one.
func showRun(s *status.Shard, r failover.Record) {
	if r.State == failover.StateRunning {
		s.RunsOn = r.Owner
	}
	s.Fire = r.Time().UTC()
	if r.IsManual() {
		s.Trigger = r.Trigger
	}
	s.Attempt, s.Fence = r.Attempt, r.Fence
	s.Started, s.Ended = r.Started.UTC(), r.Ended.UTC()
	s.Result, s.Error = string(r.Result), r.Error
}

// judge asks what the owner of a shard would decide, and derives the state.
func (n *Namespace) judge(s *status.Shard, j *Job, r failover.Record, read bool, now time.Time) {
	p, v := j.Policy(s.Shard), n.View(j, s.Shard, now)
	if len(j.Spec.After) == 0 {
		s.Due, s.Next = p.Due(v)
	}
	if !read { // the next fire is the only one that does not depend on the record
		s.Due = time.Time{}
		if p.AfterEnd {
			s.Next = time.Time{}
		}
	}
	orphan := r.State == failover.StateRunning && !n.Alive(r.Owner)
	d := failover.Decide(p, v)
	switch {
	case !s.OwnerAlive:
		s.State, s.Reason = status.ShardUnowned, n.whyOwnerMissing(j, s)
		if orphan {
			s.State = status.ShardStuck
		}
		if p.Disabled && !orphan {
			s.State, s.Reason = status.ShardDisabled, reason(d)
		}
	case !read:
		s.State = status.ShardUnread
		s.Reason = status.Reason{Code: status.CodeNotRead, Text: "the record of the shard was not read"}
		if p.Disabled {
			s.State, s.Reason = status.ShardDisabled, reason(d)
		}
	case r.State == failover.StateRunning:
		s.State, s.Reason = status.ShardRunning, reason(d)
	case p.Disabled:
		s.State, s.Reason = status.ShardDisabled, reason(d)
	case d.Action != failover.ActionWait && isLate(s.Due, p.Delay, now):
		s.State, s.Reason = status.ShardLate, n.whyLate(j, s, d)
	case len(j.Spec.After) > 0 && d.Action == failover.ActionWait:
		s.State = status.ShardIdle
		s.Reason = status.Reason{
			Code: status.CodeAwaitsJobs,
			Args: map[string]string{"jobs": strings.Join(j.Spec.After, ", ")},
			Text: "it runs when " + strings.Join(j.Spec.After, " and ") + " have ended a fire",
		}
	default:
		s.State, s.Reason = status.ShardIdle, reason(d)
	}
}

// isLate reports whether a fire that is due, and begins that much after its
// time, is late.
func isLate(due time.Time, delay time.Duration, now time.Time) bool {
	return !due.IsZero() && now.Sub(due.Add(delay)) > status.LateAfter
}

// View returns what the owner of a shard knows about it, as far as the store
// tells. A run of the owner counts as one that its process works on.
func (n *Namespace) View(j *Job, shard int, now time.Time) failover.View {
	owner := ""
	if a := j.Assignment; a != nil && shard < len(a.Owners) {
		owner = a.Owners[shard]
	}
	r := j.Records[shard].Record
	v := failover.View{
		Record:  r,
		Now:     now,
		Me:      owner,
		Owned:   owner != "",
		Paused:  n.Paused,
		Cancels: j.cancelsOf(shard),
	}
	if j.Spec != nil && !j.Spec.Unclaimed {
		v.Trigger = failover.NextTrigger(
			failover.NotCancelled(j.Signals.Triggers, v.Cancels),
			shard,
			r,
			j.Policy(shard),
		)
	}
	switch {
	case r.State != failover.StateRunning || r.Owner == "":
	case !n.Alive(r.Owner):
		v.Owner = failover.LivenessDead
	case r.Owner == owner:
		v.Local = failover.Local{Phase: failover.PhaseWorking, Owner: r.Owner, Fence: r.Fence}
	default:
		v.Owner = failover.LivenessAlive
	}
	return v
}

func reason(d failover.Decision) status.Reason {
	return status.Reason{Code: string(d.Code), Args: d.Args, Text: d.Reason}
}

// whyLate says why a fire that is due has not begun, as far as the store tells.
func (n *Namespace) whyLate(j *Job, s *status.Shard, d failover.Decision) status.Reason {
	owner := n.Instance(s.Owner)
	switch {
	case owner.Err != nil:
		return Unreadable(layout.InstanceKey(s.Owner), owner.Err)
	case owner.State == layout.ClockOff:
		return status.Reason{
			Code: "owner_clock_off",
			Args: map[string]string{"instance": s.Owner},
			Text: "the clock of its owner " + s.Owner + " differs from most others', so it begins nothing",
		}
	case !j.Current():
		return status.Reason{Code: status.CodeNotAssigned, Text: "the assignment is older than the job"}
	}
	return reason(d)
}

// Current reports whether the assignment is one that owners act by: it has the
// shards of the spec, and divides the work as the spec does.
func (j *Job) Current() bool {
	return j.Spec != nil && j.Assignment != nil &&
		(j.Spec.Broadcast() || len(j.Assignment.Owners) == j.Spec.Shards) &&
		j.Assignment.Division == j.Spec.Division()
}

// whyOwnerMissing says why a shard has no live owner.
func (n *Namespace) whyOwnerMissing(j *Job, s *status.Shard) status.Reason {
	why := n.whyUnowned(j)
	if why.Code == status.CodeNotAssigned && s.Owner != "" {
		return status.Reason{
			Code: status.CodeOwnerGone,
			Args: map[string]string{"instance": s.Owner},
			Text: "its owner " + s.Owner + " is gone, and another has not got the shard yet",
		}
	}
	return why
}

// whyUnowned says why no instance owns the shards of a job.
func (n *Namespace) whyUnowned(j *Job) status.Reason {
	has, labels, places := false, false, false
	for _, i := range n.Instances {
		if i.Err != nil || !i.Has(j.Name) {
			continue
		}
		has = true
		if j.Spec != nil && !i.Meets(j.Spec.Requires) {
			continue
		}
		labels = true
		places = places || i.State == layout.Up && i.cordon == nil
	}
	switch {
	case !has:
		return status.Reason{Code: status.CodeNoInstance, Text: "no live instance has the job"}
	case !labels:
		requires := layout.Labels(j.Spec.Requires)
		return status.Reason{
			Code: status.CodeMissingLabels,
			Args: map[string]string{"requires": requires},
			Text: "the job requires the labels " + requires + ", and no live instance that has the job has them",
		}
	case !places:
		return status.Reason{
			Code: status.CodeNotPlaced,
			Text: "each live instance that has the job is draining or cordoned, or has a wrong clock",
		}
	}
	return status.Reason{Code: status.CodeNotAssigned, Text: "the leader of the job has not assigned its shards yet"}
}

// Shards returns all shards of a job.
func (n *Namespace) Shards(j *Job, now time.Time) []status.Shard {
	all := make([]status.Shard, j.Shards())
	for i := range all {
		all[i] = n.Shard(j, i, now)
	}
	return all
}
