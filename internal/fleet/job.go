package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// Job has the documents of one job. Documents that are missing are nil.
// A document that can't be read is nil, and Err says why.
type Job struct {
	Name       string
	Doc        *layout.Job
	Spec       *layout.Spec  // of Doc; nil as well if the job is not here
	Version    store.Version // of the job's key; zero if there is none
	Assignment *layout.Assignment
	Signals    layout.Signal
	Records    map[int]Record // by shard: those that were read; nil if none were

	// Err is the first document that can't be read, and Key its key.
	Err error
	Key string

	policy failover.Policy
}

// Record is the record of a shard, as it was read.
type Record struct {
	failover.Record
	Version store.Version // zero: there is none yet
	Err     error         // it can't be read
}

// NewJob returns the job with these entries of jobs/, assignments/ and
// signals/. An entry without a version stands for a key that is missing.
func NewJob(name string, spec, assignment, signals store.Entry) *Job {
	j := &Job{Name: name, Version: spec.Version}
	if spec.Version != 0 {
		doc, err := layout.DecodeJob(spec.Value)
		if err == nil && doc.Here() != nil {
			j.policy, err = doc.Spec.Policy()
		}
		if err == nil {
			j.Doc, j.Spec = &doc, doc.Here()
		}
		j.note(spec.Key, err)
	}
	if assignment.Version != 0 {
		a, err := layout.DecodeAssignment(assignment.Value)
		if err == nil {
			j.Assignment = &a
		}
		j.note(assignment.Key, err)
	}
	if signals.Version != 0 {
		s, err := layout.DecodeSignal(signals.Value)
		if err == nil {
			j.Signals = s
		}
		j.note(signals.Key, err)
	}
	return j
}

// note keeps the first document that can't be read.
func (j *Job) note(key string, err error) {
	if err != nil && j.Err == nil {
		j.Err, j.Key = err, key
	}
}

// Read takes the records of all shards: the entries below the job's records.
func (j *Job) Read(entries []store.Entry) {
	j.Records = make(map[int]Record, j.Shards())
	for shard := range j.Shards() {
		j.Records[shard] = Record{}
	}
	for _, e := range entries {
		_, shard, ok := layout.RunOf(e.Key)
		if !ok || shard >= j.Shards() {
			continue
		}
		r, err := failover.Decode(e.Value)
		j.Records[shard] = Record{r, e.Version, err}
	}
}

// Shards returns how many shards the job has.
func (j *Job) Shards() int {
	switch {
	case j.Spec != nil && !j.Spec.Broadcast():
		return j.Spec.Shards
	case j.Assignment != nil:
		return len(j.Assignment.Owners)
	}
	return 0
}

// Policy returns the policy of a shard. The job must have a spec.
func (j *Job) Policy(shard int) failover.Policy {
	return j.Spec.PolicyOf(j.policy, j.Name, shard, j.Assignment)
}

// Status returns the job in a few figures.
func (n *Namespace) Status(j *Job, now time.Time) status.Job {
	s := status.Job{
		Name:     j.Name,
		Shards:   j.Shards(),
		Read:     len(j.Records),
		Triggers: len(j.Signals.Triggers),
		State:    status.JobIdle,
	}
	if j.Doc != nil {
		s.Rev = j.Doc.Rev
		s.Changed = change(j.Doc.Changed)
	}
	if j.Spec != nil {
		s.Description = j.Spec.Description
		s.Schedule, s.Words = j.Spec.Schedule, words(j, now)
		s.TimeZone = j.Spec.TimeZone
	}
	shards := make([]status.Shard, s.Shards)
	owners := map[string]bool{}
	for i := range shards {
		shards[i] = n.Shard(j, i, now)
		count(&s, shards[i])
		if shards[i].OwnerAlive {
			owners[shards[i].Owner] = true
		}
	}
	s.Owners = len(owners)
	last(&s, shards)
	s.State, s.Reason = n.stateOf(j, s, shards)
	return s
}

// count adds a shard to the figures of its job.
func count(s *status.Job, shard status.Shard) {
	switch shard.State {
	case status.ShardRunning:
		s.Running++
	case status.ShardLate:
		s.Late++
	case status.ShardStuck:
		s.Stuck++
	case status.ShardUnowned:
		s.Unowned++
	}
	if failed(shard.Result) {
		s.Failed++
	}
	if !shard.Due.IsZero() && (s.Due.IsZero() || shard.Due.Before(s.Due)) {
		s.Due = shard.Due
	}
	if !shard.Next.IsZero() && (s.Next.IsZero() || shard.Next.Before(s.Next)) {
		s.Next = shard.Next
	}
}

func failed(result string) bool {
	return result == string(failover.ResultFailed) || result == string(failover.ResultLost)
}

// worst are the results of runs, the worst first.
var worst = []failover.Result{
	failover.ResultLost,
	failover.ResultFailed,
	failover.ResultCancelled,
	failover.ResultReplaced,
	failover.ResultSkipped,
	failover.ResultSucceeded,
}

// last fills in what is known of the fire or trigger that began last.
func last(s *status.Job, shards []status.Shard) {
	for _, shard := range shards {
		if shard.Fire.After(s.Last) {
			s.Last = shard.Fire
		}
	}
	if s.Last.IsZero() {
		return
	}
	rank, runs := len(worst), false
	for _, shard := range shards {
		if !shard.Fire.Equal(s.Last) {
			continue
		}
		if shard.Result == "" {
			runs = true
			continue
		}
		if shard.Ended.After(s.LastEnded) {
			s.LastEnded = shard.Ended
		}
		if r := slices.Index(worst, failover.Result(shard.Result)); r >= 0 && r < rank {
			rank, s.LastResult = r, shard.Result
		}
	}
	if runs {
		s.LastEnded = time.Time{}
	}
}

// stateOf returns the most urgent state of a job, and its reason.
func (n *Namespace) stateOf(j *Job, s status.Job, shards []status.Shard) (status.JobState, status.Reason) {
	switch {
	case j.Err != nil:
		return status.JobUnreadable, Unreadable(j.Key, j.Err)
	case j.Absent():
		return status.JobRemoved, j.whyAbsent()
	case j.Spec == nil:
		return status.JobUnowned, status.Reason{Code: status.CodeNotInStore, Text: "the job is not in the store yet"}
	case j.Spec.Disabled:
		return status.JobDisabled, status.Reason{Code: string(failover.CodeJobDisabled), Text: "the job is disabled"}
	case s.Stuck > 0:
		return status.JobStuck, reasonOf(shards, status.ShardStuck)
	case s.Unowned > 0:
		return status.JobUnowned, reasonOf(shards, status.ShardUnowned)
	case len(shards) == 0:
		return status.JobUnowned, n.whyUnowned(j)
	case s.Late > 0:
		return status.JobLate, reasonOf(shards, status.ShardLate)
	case s.Failed > 0:
		i := slices.IndexFunc(shards, func(s status.Shard) bool { return failed(s.Result) })
		return status.JobFailed, whyFailed(shards[i])
	case s.Running > 0:
		return status.JobRunning, reasonOf(shards, status.ShardRunning)
	}
	return status.JobIdle, shards[0].Reason
}

// whyFailed says how the last run of a shard ended.
func whyFailed(s status.Shard) status.Reason {
	text := fmt.Sprintf("the last run of shard %d has the result %s", s.Shard, s.Result)
	if s.Error != "" {
		text += ": " + s.Error
	}
	return status.Reason{
		Code: status.CodeRunFailed,
		Args: map[string]string{"shard": strconv.Itoa(s.Shard), "result": s.Result},
		Text: text,
	}
}

func reasonOf(shards []status.Shard, state status.ShardState) status.Reason {
	i := slices.IndexFunc(shards, func(s status.Shard) bool { return s.State == state })
	return shards[i].Reason
}

// words returns the schedule in English.
func words(j *Job, now time.Time) string {
	switch {
	case len(j.Spec.After) > 0:
		return "when all shards of " + strings.Join(j.Spec.After, " and of ") + " have " + string(j.Spec.AfterEnds)
	case j.Spec.Schedule == layout.Manual:
		return "when it is triggered"
	}
	told, err := cron.Explain(j.policy.Schedule, now, 1)
	if err != nil && told.Words == "" {
		return ""
	}
	return told.Words
}

func change(c layout.Changed) status.Change {
	return status.Change{By: c.By, At: c.At.UTC(), Via: string(c.Via), Why: c.Why}
}

// Absent reports whether the store says that the job is not here: it was
// removed, or is moving.
func (j *Job) Absent() bool { return j.Doc != nil && j.Doc.State != layout.JobPresent }

// whyAbsent says by whom, when and why a job was removed.
func (j *Job) whyAbsent() status.Reason {
	c := j.Doc.Changed
	text := fmt.Sprintf("the job is %s since %s, by %s", j.Doc.State, c.At.UTC().Format(time.RFC3339), c.By)
	if c.Why != "" {
		text += ": " + c.Why
	}
	return status.Reason{
		Code: "job_" + string(j.Doc.State),
		Args: map[string]string{"by": c.By},
		Text: text,
	}
}
