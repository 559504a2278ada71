package elastic

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/sharding"
)

// Job is the configuration of a job, without its handler. It is persisted in
// the store, and every instance follows the stored copy.
type Job struct {
	// Name identifies the job in its namespace: 1 to 100 of the letters a to z
	// in both cases, digits and . _ -
	Name string

	// Description is for people. The whole stored job, with Except, Requires
	// and the parameters, can have 184 KiB. All texts must be UTF-8.
	Description string

	// Schedule gives the times at which the job fires. It is one of: a Quartz
	// expression of 6 or 7 fields with a ?, such as "0 0 3 * * ?"; a Unix
	// expression of 5 fields, such as "0 3 * * *"; a word such as "@daily";
	// "@every 10s", aligned to the clock and not to the start of a process;
	// "@at 2027-01-01T00:00:00+08:00", once; "@after 10m", that long after the
	// last run has ended; or "@manual", only by [Scheduler.Trigger]. See
	// [cron.Parse].
	Schedule string

	// After names jobs that this one follows, at most 10, in place of a
	// Schedule. The job runs for a fire when all shards of all these jobs have
	// succeeded for that fire, or were skipped (see [Skip]). No fire is lost
	// and none runs twice, whatever happens to instances in between. The
	// misfire policy applies to several fires that wait. A fire during which
	// one of these jobs got more shards is not followed, and neither is a
	// trigger.
	//
	// Each shard of those jobs remembers the last fires that it has ended:
	// 10,000 if the fires are at even distances and succeed, and never less
	// than 64. If this job needs an older fire, because another of those jobs
	// takes longer than all of them, it does not run for it. An event of the
	// kind [observe.Waiting] reports that.
	After []string

	// AfterEnds is how the fires of those jobs must have ended. Empty means
	// AfterSucceeded.
	AfterEnds AfterEnds

	// TimeZone is the time zone of the schedule: a name of the IANA database,
	// such as "Asia/Shanghai", or a fixed offset, such as "UTC+08:00" or
	// "GMT+8". Empty means UTC. See [cron.LoadLocation].
	TimeZone string

	// Start and End bound the schedule: no fire is before Start, and none at or
	// after End. Zero means no bound. They must lie in the years 1 to 9999 in
	// UTC.
	Start, End time.Time

	// Except lists times in TimeZone at which the job does not fire: dates such
	// as "2026-12-25" or "12-24..01-02", weekdays such as "SAT-SUN", daily
	// windows such as "22:00-06:00". See [cron.NewCalendar].
	Except []string

	// Jitter spreads the starts of jobs and shards that fire at the same
	// moment. Each shard starts its fires later by a part of Jitter. The part
	// is the same for a shard each time and on every instance. At most a day.
	Jitter time.Duration

	// Shards is the number of shards, 1 to 10,000. Zero means 1.
	Shards int

	// Broadcast gives each live instance that has the job one shard, in place
	// of Shards: for work that every host has to do for itself. The number of
	// shards follows the number of instances, and [Run.Shards] is that number
	// at the time of the claim. A new instance does not run fires and triggers
	// from before it came. The run of an instance that dies is abandoned.
	Broadcast bool

	// Parameter is passed to every shard. At most 4 KiB.
	Parameter string

	// ShardParameters are passed to single shards, by their number from 0. At
	// most 4 KiB each and 64 KiB in all.
	ShardParameters map[int]string

	// Sharding names the strategy that assigns the shards to instances:
	// "sticky" (the default), which moves the fewest shards when an instance
	// comes or goes; "average", "odevity", "rotate" and "single", as in
	// ElasticJob; "static", which moves no shard whose owner is live; or a
	// strategy that [WithStrategy] registers. See package sharding.
	Sharding string

	// Failover makes another instance repeat a run at once when the instance of
	// the run dies. Without it the run is abandoned, and the shard continues
	// with the next fire.
	Failover bool

	// MaxAttempts limits how often a fire is tried when instances die during
	// its run, 1 to 100. So a run that kills its process cannot kill the whole
	// fleet. Hand-overs do not count. Zero means 3.
	MaxAttempts int

	// Misfire is the policy for fires that could not begin in time. Empty means
	// MisfireOnce.
	Misfire Misfire

	// MisfireWindow is how late a fire may begin. Zero means a minute with
	// MisfireSkip, a day with MisfireAll, and no bound with MisfireOnce.
	MisfireWindow time.Duration

	// Overlap is the policy for a fire that comes while the shard still runs.
	// Empty means OverlapQueue.
	Overlap Overlap

	// Timeout limits how long a run takes, retries included. Then the context
	// of the run ends with [ErrTimeout], and the run is recorded as failed,
	// whatever its handler returns. Zero means no limit.
	Timeout time.Duration

	// CarryOn lets handlers go on for this time after their instance has lost
	// its session with the store: for runs of hours that an outage of the store
	// must not interrupt. At most a day, in whole milliseconds. When the
	// instance has a session again, it reclaims the run: the same attempt with
	// a greater fence, so [Run.Fence] changes.
	//
	// The price is that other instances wait that long before they take such a
	// run over, even if its instance has crashed. If a run is not reclaimed in
	// time, its handler is cancelled with [ErrSessionLost] before another
	// instance begins. Zero means that handlers are cancelled as soon as the
	// session is lost.
	CarryOn time.Duration

	// Retries is how often a handler that returned an error is called again, by
	// the same instance and within its claim, 0 to 100. See also [Permanent],
	// [RetryIn] and [Skip].
	Retries int

	// RetryDelay is the longest wait before the first retry. It doubles for
	// each further retry, up to RetryMaxDelay. The wait is a random part of
	// that ("full jitter"), so that shards that failed together do not retry
	// together. Zero means a second, and a minute. Without Retries they must be
	// zero.
	RetryDelay, RetryMaxDelay time.Duration

	// MaxConcurrent limits how many shards of the job one instance runs at a
	// time. Zero means no limit. See also [WithMaxConcurrent].
	MaxConcurrent int

	// Requires are the labels that an instance must have to get shards of the
	// job; see [WithLabels]. While no instance has them, nothing runs, and
	// fires are missed according to the policies of the job.
	Requires map[string]string

	// DisabledShards are shards that begin no runs. Other shards are not
	// affected.
	DisabledShards []int

	// Unclaimed disables claims: runs are not recorded in the store. It is for
	// idempotent jobs that fire often. The owner of a shard runs it, and the
	// guarantees are weaker. While shards move, or while an instance has no
	// contact with the store, a fire can run twice or not at all. Fires that
	// could not begin in time are not made up for. There are no records, no
	// fences (a fence is 0), no failover and no triggers.
	Unclaimed bool

	// Disabled stops the job from beginning runs. Current runs may finish.
	Disabled bool
}

// Misfire is the policy for fires that did not begin in time: because the shard
// was still running, because its instance died a millisecond before, or because
// the whole fleet was down over night.
type Misfire = failover.Misfire

// The misfire policies.
const (
	// MisfireOnce runs the latest fire once, for all of them.
	MisfireOnce = failover.MisfireOnce

	// MisfireSkip runs none of them. A fire younger than MisfireWindow is late
	// and not missed.
	MisfireSkip = failover.MisfireSkip

	// MisfireAll runs each of them, in order, as far back as MisfireWindow.
	MisfireAll = failover.MisfireAll
)

// AfterEnds is how the fires of a job must have ended for another job to
// follow.
type AfterEnds = failover.Ends

// The ends that another job can follow.
const (
	AfterSucceeded = failover.WhenSucceeded // each shard has succeeded, or was skipped
	AfterEnded     = failover.WhenEnded     // each shard has ended, with any result
)

// Overlap is the policy for a fire that comes while the shard still runs.
type Overlap = failover.Overlap

// The overlap policies.
const (
	// OverlapQueue lets the fire wait. The misfire policy selects among several
	// that wait.
	OverlapQueue = failover.OverlapQueue

	// OverlapSkip does not run the fire.
	OverlapSkip = failover.OverlapSkip

	// OverlapReplace ends the context of the current run with ErrReplaced. The
	// fire runs when the handler has returned.
	OverlapReplace = failover.OverlapReplace
)

// DefaultMaxAttempts is the MaxAttempts of a job that does not set it. One
// repetition is enough for the failure of one host. A third attempt covers a
// second failure in the same night.
const DefaultMaxAttempts = 3

// The delays between retries of a job that does not set them.
const (
	DefaultRetryDelay    = time.Second
	DefaultRetryMaxDelay = time.Minute
)

// Validate returns all faults of the job in one error. Each fault names the
// field, the value and what is allowed. Validate knows only the strategies of
// package sharding. [Scheduler.Add] also knows those of [WithStrategy].
func (j Job) Validate() error {
	if err := j.faults(sharding.ByName).Err(); err != nil {
		return fmt.Errorf("job %.200q is not valid:\n%w", j.Name, err)
	}
	return nil
}

// faults returns the faults of the job, given the strategies that are known.
func (j Job) faults(strategy func(name string) (sharding.Strategy, error)) *faults.List {
	list := &faults.List{}
	fault := list.AddField
	if err := layout.CheckName(j.Name); err != nil {
		fault("name", "%v", err)
	}
	if slices.Contains(j.After, j.Name) {
		fault("after", "the job can't follow itself")
	}
	if j.Broadcast && j.Shards != 0 {
		fault("shards", "a broadcast has as many as there are instances: leave it out, is %d", j.Shards)
		j.Shards = 0
	}
	if j.Shards < 0 {
		fault("shards", "must be 1 to %d, is %d", layout.MaxShards, j.Shards)
		j.Shards = layout.MaxShards // so that parameters are judged by themselves
	}
	list.Append(j.spec().Check())
	if _, err := strategy(j.Sharding); err != nil && !j.Broadcast {
		err = fmt.Errorf("%w; WithStrategy makes one's own known", err)
		list.Append(&faults.Fault{Field: "sharding", Err: err, Local: true})
	}
	return list
}

// spec returns the stored form of the job, with its defaults.
func (j Job) spec() layout.Spec {
	if j.Retries > 0 {
		j.RetryDelay = cmp.Or(j.RetryDelay, DefaultRetryDelay)
		j.RetryMaxDelay = cmp.Or(j.RetryMaxDelay, max(DefaultRetryMaxDelay, j.RetryDelay))
	}
	if len(j.After) > 0 {
		j.AfterEnds = cmp.Or(j.AfterEnds, AfterSucceeded)
	}
	shards, strategy := cmp.Or(j.Shards, 1), cmp.Or(j.Sharding, "sticky")
	if j.Broadcast {
		shards, strategy = j.Shards, cmp.Or(j.Sharding, layout.BroadcastSharding)
	}
	return layout.Spec{
		Description:     j.Description,
		Schedule:        j.Schedule,
		After:           j.After,
		AfterEnds:       j.AfterEnds,
		TimeZone:        j.TimeZone,
		Start:           j.Start,
		End:             j.End,
		Except:          j.Except,
		Jitter:          layout.Duration(j.Jitter),
		Shards:          shards,
		Parameter:       j.Parameter,
		ShardParameters: j.ShardParameters,
		Sharding:        strategy,
		Failover:        j.Failover,
		MaxAttempts:     cmp.Or(j.MaxAttempts, DefaultMaxAttempts),
		Misfire:         cmp.Or(j.Misfire, MisfireOnce),
		MisfireWindow:   layout.Duration(j.MisfireWindow),
		Overlap:         cmp.Or(j.Overlap, OverlapQueue),
		Timeout:         layout.Duration(j.Timeout),
		CarryOn:         layout.Duration(j.CarryOn),
		Retries:         j.Retries,
		RetryDelay:      layout.Duration(j.RetryDelay),
		RetryMaxDelay:   layout.Duration(j.RetryMaxDelay),
		MaxConcurrent:   j.MaxConcurrent,
		Requires:        j.Requires,
		DisabledShards:  slices.Compact(slices.Sorted(slices.Values(j.DisabledShards))),
		Unclaimed:       j.Unclaimed,
		Disabled:        j.Disabled,
	}
}
