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

// Job is what a job is: everything but its handler. It is stored, and all instances go by what is stored.
type Job struct {
	// Name identifies the job in its namespace: 1 to 100 of the letters a to z in both cases, digits and . _ -
	Name string

	// Description is for people. The whole job as the store holds it, with
	// Except, Requires and the parameters, may have 184 KiB. All texts must be
	// UTF-8.
	Description string

	// Schedule says when the job fires: a Quartz expression of 6 or 7 fields with a ?, such as "0 0 3 * * ?"; a Unix expression of
	// 5 fields, such as "0 3 * * *"; "@daily" and its like; "@every 10s", which is aligned to the clock and not to when a
	// process started; "@at 2027-01-01T00:00:00+08:00", once; "@after 10m", that long after the last run has ended; or "@manual", only when [Scheduler.Trigger]
	// asks for it. See [cron.Parse].
	Schedule string

	// After names jobs that this one follows, in place of a Schedule, 10 at most: it runs for a fire when all shards of all of them have
	// succeeded for that fire, or have said [Skip]. Whatever becomes of instances in between, no fire is lost and none runs twice; what the
	// misfire policy is for is several that wait. A fire during which one of them got more shards is not followed, nor is what a
	// trigger asked for.
	//
	// Each shard of those jobs remembers the last fires that it has ended: 10,000 of a
	// job whose fires are at even distances and succeed, and never less than 64. A job
	// that needs an older one, because another that it follows takes longer than all
	// of those, does not run for it; an event of the kind waiting says so.
	After []string

	// AfterEnds says how the fires of those jobs must have ended. Empty means AfterSucceeded.
	AfterEnds AfterEnds

	// TimeZone is the zone in which the schedule is read: a name of the IANA
	// database, such as "Asia/Shanghai", or a fixed offset, such as "UTC+08:00" or
	// "GMT+8". Empty means UTC. See [cron.LoadLocation].
	TimeZone string

	// Start and End bound the schedule: no fire before Start, none at or after
	// End. Zero means no bound. They must lie in the years 1 to 9999 in UTC.
	Start, End time.Time

	// Except names times of TimeZone at which the job does not fire: dates such as "2026-12-25" or "12-24..01-02", weekdays such as
	// "SAT-SUN", daily windows such as "22:00-06:00". See [cron.NewCalendar].
	Except []string

	// Jitter spreads the starts of jobs and shards that fire at the same moment: each shard begins its fires later by a part
	// of Jitter that is always the same for it, on every instance. At most a day.
	Jitter time.Duration

	// Shards is how many parts the job is cut into, 1 to 10,000. Zero means 1.
	Shards int

	// Broadcast gives each live instance that has the job one shard, growing and shrinking with them, in place of Shards: for what every
	// machine has to do for itself. [Run.Shards] is then how many there were when the run was claimed. An instance that comes has no part in
	// fires and triggers before it; what one ran when it died is given up.
	Broadcast bool

	// Parameter is passed to every shard, at most 4 KiB.
	Parameter string

	// ShardParameters are passed to single shards, by their number from 0; at most 4 KiB each, 64 KiB in all.
	ShardParameters map[int]string

	// Sharding names the strategy by which shards are given to instances: "sticky" (default), which moves the smallest possible
	// number when an instance comes or goes; "average", "odevity", "rotate" and "single", as ElasticJob has them; "static", which moves nothing that has a live
	// owner; or one that [WithStrategy] makes known. See package sharding.
	Sharding string

	// Failover has a run repeated at once by another instance when its own dies. Without it the run is given up, and
	// the next fire goes ahead.
	Failover bool

	// MaxAttempts is how often one fire is tried when instances die of it, 1 to 100: a run that kills its host must not kill the
	// fleet. What an instance hands over when it leaves in good order does not count. Zero means 3.
	MaxAttempts int

	// Misfire says what becomes of fires that could not begin in time. Empty means MisfireOnce.
	Misfire Misfire

	// MisfireWindow is how late a fire may begin. Zero means a minute with MisfireSkip, a day with MisfireAll, and no bound with
	// MisfireOnce.
	MisfireWindow time.Duration

	// Overlap says what becomes of a fire that comes while the shard still runs. Empty means OverlapQueue.
	Overlap Overlap

	// Timeout ends the context of a run that takes longer, retries included, with
	// ErrTimeout. The run is then recorded as failed, whatever its handler
	// returns. Zero means none.
	Timeout time.Duration

	// CarryOn lets handlers go on when their instance loses its session with the store, for so long, up to a day and in whole milliseconds: for
	// runs of hours that an outage of the store shall not cut off. When the instance has a session again it claims the run anew, as the
	// same attempt and with a greater fence ([Run.Fence] is then another one). Other instances wait as long before they take such a
	// run over, also if its instance has crashed: that is the price. A handler that has not got its claim back by then is cancelled
	// with ErrSessionLost before they begin. Zero means that a lost session ends its handlers at once.
	CarryOn time.Duration

	// Retries is how often a handler that returned an error is called again, by the same instance and inside its claim, 0 to 100. See
	// also [Permanent], [RetryIn] and [Skip].
	Retries int

	// RetryDelay is how long to wait before the first retry at most; each next time twice as long, up to RetryMaxDelay. The wait is a
	// random part of that ("full jitter"), so that shards that failed together don't come back together. Zero means a second, and
	// a minute. Without Retries they must be zero.
	RetryDelay, RetryMaxDelay time.Duration

	// MaxConcurrent is how many of the job's shards one instance runs at a time. Zero means all that it has. See also
	// [WithMaxConcurrent].
	MaxConcurrent int

	// Requires are labels that an instance must have to get shards of the job; see [WithLabels]. While no instance has them nothing runs,
	// and the job's fires are missed as its policies have it.
	Requires map[string]string

	// DisabledShards are shards on which nothing begins; the others go on.
	DisabledShards []int

	// Unclaimed has nothing written to the store for a run: for idempotent jobs that fire often. A shard is then run by whoever the assignment
	// gives it to, and the promises are weaker: while shards move, or when an instance has lost touch with the store, two may run one fire, or
	// nobody; what could not begin in time is not made up for; there is no record, no fence (it is 0), no failover, no trigger.
	Unclaimed bool

	// Disabled keeps the job from beginning anything; what runs may finish.
	Disabled bool
}

// Misfire says what becomes of fires that nobody began in time: because the shard was still running, because its instance died
// a millisecond before, because the whole fleet was down over night.
type Misfire = failover.Misfire

// The misfire policies.
const (
	MisfireOnce = failover.MisfireOnce // the latest is run, one time, for all of them
	MisfireSkip = failover.MisfireSkip // none is run; a fire younger than MisfireWindow is late, not missed
	MisfireAll  = failover.MisfireAll  // each is run, in order, as far back as MisfireWindow
)

// AfterEnds says how the fires of a job must have ended for another to follow.
type AfterEnds = failover.Ends

// The ends that another job can follow.
const (
	AfterSucceeded = failover.WhenSucceeded // each shard has succeeded, or had nothing to do
	AfterEnded     = failover.WhenEnded     // each shard has ended, in whatever way
)

// Overlap says what becomes of a fire that comes while the shard still runs.
type Overlap = failover.Overlap

// The overlap policies.
const (
	OverlapQueue   = failover.OverlapQueue   // it waits; of several that wait, the misfire policy picks
	OverlapSkip    = failover.OverlapSkip    // it is not run
	OverlapReplace = failover.OverlapReplace // the run's context ends with ErrReplaced, and it runs when the handler has returned
)

// DefaultMaxAttempts is how often a fire is tried if the job does not say. One repetition would do if machines failed alone;
// two allow for a bad night.
const DefaultMaxAttempts = 3

// The delays between retries if the job does not say.
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

// spec is the job as it is stored, defaults filled in.
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
