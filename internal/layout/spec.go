package layout

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// Spec is a job as all instances see it: everything but its handler.
type Spec struct {
	Description     string            `json:"description,omitempty"`
	Schedule        string            `json:"schedule"`
	After           []string          `json:"after,omitempty"`     // jobs that it follows, in place of a schedule
	AfterEnds       failover.Ends     `json:"afterEnds,omitempty"` // how their fires must have ended
	TimeZone        string            `json:"timeZone,omitempty"`  // empty: UTC
	Start           time.Time         `json:"start,omitzero"`      // no fire before it
	End             time.Time         `json:"end,omitzero"`        // no fire at or after it
	Except          []string          `json:"except,omitempty"`    // no fire at these times; see cron.NewCalendar
	Jitter          Duration          `json:"jitter,omitzero"`     // how much later than its time a fire begins at most
	Shards          int               `json:"shards"`              // zero: one for each live instance
	Parameter       string            `json:"parameter,omitempty"`
	ShardParameters map[int]string    `json:"shardParameters,omitempty"`
	Sharding        string            `json:"sharding"` // name of the strategy
	Failover        bool              `json:"failover"`
	MaxAttempts     int               `json:"maxAttempts"`
	Misfire         failover.Misfire  `json:"misfire"`
	MisfireWindow   Duration          `json:"misfireWindow,omitzero"`
	Overlap         failover.Overlap  `json:"overlap"`
	Timeout         Duration          `json:"timeout,omitzero"`
	CarryOn         Duration          `json:"carryOn,omitzero"`  // how long a handler goes on without a session
	Retries         int               `json:"retries,omitempty"` // of a handler that returned an error, inside one claim
	RetryDelay      Duration          `json:"retryDelay,omitzero"`
	RetryMaxDelay   Duration          `json:"retryMaxDelay,omitzero"`
	DisabledShards  []int             `json:"disabledShards,omitempty"` // sorted: nothing begins on them
	MaxConcurrent   int               `json:"maxConcurrent,omitempty"`  // shards at a time on one instance; zero: all
	Requires        map[string]string `json:"requires,omitempty"`       // labels that an instance must have
	Unclaimed       bool              `json:"unclaimed,omitempty"`      // runs are not recorded
	Disabled        bool              `json:"disabled,omitempty"`
	EnabledShards   EnabledShards     `json:"enabledShards,omitempty"` // since when shards that were disabled are not
	Enabled         time.Time         `json:"enabled,omitzero"`        // since when the job is not disabled; zero: it never was
	Resharded       time.Time         `json:"resharded"`               // there have been as many shards since; a shard that never ran counts from here
	Since           time.Time         `json:"since"`                   // the schedule has been in force since: creation, a change of it, being enabled
}

// Division is a fingerprint of the parameters by which handlers divide the
// job's work, besides the number of the shard; empty if there are none. Which
// shard does a piece of the work can change with them: two shards may exchange
// their parameters.
func (s Spec) Division() string {
	if s.Parameter == "" && len(s.ShardParameters) == 0 {
		return ""
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", s.Parameter)
	for _, item := range slices.Sorted(maps.Keys(s.ShardParameters)) {
		fmt.Fprintf(h, " %d %q", item, s.ShardParameters[item])
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Duration is written as text, such as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Location returns the job's time zone.
func (s Spec) Location() (*time.Location, error) {
	return cron.LoadLocation(s.TimeZone)
}

// Manual is the schedule of a job that runs only when it is triggered.
const Manual = "@manual"

// never is a schedule without fires.
type never struct{}

func (never) Next(time.Time) time.Time { return time.Time{} }

// Times returns the schedule with its bounds and exceptions.
func (s Spec) Times() (cron.Schedule, error) {
	if len(s.After) > 0 {
		if s.Schedule != "" || !s.Start.IsZero() || !s.End.IsZero() || len(s.Except) > 0 {
			return nil, errors.New("a job that follows others has their fires: leave schedule, start, end and except out")
		}
		return never{}, nil
	}
	if s.Schedule == Manual {
		if !s.Start.IsZero() || !s.End.IsZero() || len(s.Except) > 0 {
			return nil, errors.New(`"@manual" has no fires that a start, an end or exceptions could bound: leave them out`)
		}
		return never{}, nil
	}
	return cron.Spec{Expr: s.Schedule, Zone: s.TimeZone, Start: s.Start, End: s.End, Except: s.Except}.Schedule()
}

// Policy returns what the spec says about runs.
func (s Spec) Policy() (failover.Policy, error) {
	schedule, err := s.Times()
	if err != nil {
		return failover.Policy{}, err
	}
	return failover.Policy{
		Schedule: schedule, AfterEnd: cron.AfterEnd(schedule), Since: s.Since, Resharded: s.Resharded, Disabled: s.Disabled,
		Misfire: s.Misfire, Window: time.Duration(s.MisfireWindow), Overlap: s.Overlap,
		Failover: s.Failover, MaxAttempts: s.MaxAttempts, Unclaimed: s.Unclaimed,
	}, nil
}

// Fires returns an error that wraps cron.ErrNever if the schedule has no fire
// after now though it should.
func (s Spec) Fires(now time.Time) error {
	schedule, err := s.Times()
	if err != nil || s.Schedule == Manual || len(s.After) > 0 {
		return err
	}
	return cron.Check(schedule, now)
}

// Broadcast says whether each live instance has one shard of the job, however
// many they are.
func (s Spec) Broadcast() bool { return s.Shards == 0 }

// Same says whether two specs ask for the same, whenever they were written.
func (s Spec) Same(o Spec) bool {
	if !maps.Equal(s.ShardParameters, o.ShardParameters) {
		return false
	}
	s.ShardParameters, o.ShardParameters = nil, nil
	if !maps.Equal(s.Requires, o.Requires) {
		return false
	}
	s.Requires, o.Requires = nil, nil
	s.EnabledShards, o.EnabledShards = nil, nil
	s.Enabled, o.Enabled = time.Time{}, time.Time{}
	s.Since, o.Since = time.Time{}, time.Time{}
	s.Resharded, o.Resharded = time.Time{}, time.Time{}
	return bytes.Equal(s.encode(), o.encode())
}

// From returns s as a job that comes into being now.
func (s Spec) From(now time.Time) Spec {
	s.Since, s.Resharded = now, now
	return s
}

// Replaces returns s as it is to be written over old.
//
// A change begins nothing by itself: fires that would be due by the new job
// alone don't count, and those that were missed by the old one stay missed. So
// whatever decides about fires of the past counts from now on if it changes. A
// change after which the past is the same, such as of an end that is far away,
// leaves what is due as it is.
func (s Spec) Replaces(old Spec, now time.Time) Spec {
	s = s.From(now)
	if s.Shards == old.Shards {
		s.Resharded = old.Resharded
	}
	if s.decidesAs(old) && s.firesAs(old, now) && !old.Since.After(now.Add(failover.MaxSkew)) {
		s.Since = old.Since
	}
	// Each enabling is later than all before it, also where clocks differ: a
	// trigger names the last that came before it.
	enabled := now.UTC()
	if last := old.LastEnabled(); !enabled.After(last) {
		enabled = last.Add(1)
	}
	s.Enabled = old.Enabled
	if old.Disabled && !s.Disabled {
		s.Enabled = enabled
	}
	s.EnabledShards = EnabledShards{}
	for shard, at := range old.EnabledShards {
		if shard < s.Shards {
			s.EnabledShards[shard] = at
		}
	}
	for _, shard := range old.DisabledShards {
		if shard < s.Shards && !slices.Contains(s.DisabledShards, shard) {
			s.EnabledShards[shard] = enabled
		}
	}
	return s
}

// EnabledSince returns since when a shard has not been disabled, by itself or
// with the job; zero if it never was.
func (s Spec) EnabledSince(shard int) time.Time {
	if at := s.EnabledShards[shard]; at.After(s.Enabled) {
		return at
	}
	return s.Enabled
}

// LastEnabled returns when the job, or a shard of it, was enabled last; zero if
// none ever was.
func (s Spec) LastEnabled() time.Time {
	last := s.Enabled
	for _, at := range s.EnabledShards {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// decidesAs reports whether two jobs decide in the same way which fires of a
// schedule begin, and when.
func (s Spec) decidesAs(old Spec) bool {
	return s.Disabled == old.Disabled && s.Unclaimed == old.Unclaimed && s.Broadcast() == old.Broadcast() &&
		s.Misfire == old.Misfire && s.MisfireWindow == old.MisfireWindow && s.Overlap == old.Overlap &&
		s.Sharding == old.Sharding && maps.Equal(s.Requires, old.Requires) && // fires wait while no instance can have them
		slices.Equal(s.After, old.After) && s.AfterEnds == old.AfterEnds && s.jitterStays(old)
}

// jitterStays reports whether the jitter of s lets no fire begin that was
// missed by that of old. A fire that waits for its delay begins earlier, or
// later, and is not lost.
func (s Spec) jitterStays(old Spec) bool {
	switch {
	case s.Jitter == old.Jitter:
		return true
	case s.Overlap == failover.OverlapSkip: // a delay decides whether a fire came while the shard ran
		return false
	}
	forEver := s.MisfireWindow == 0 && s.Misfire.Window() == 0
	return forEver || s.Jitter < old.Jitter // what is too late by a short delay may not be by a longer one
}

// compared bounds how many fires of the past are compared.
const compared = 10_000

// firesAs reports whether two jobs have the same fires up to now. More than can
// be compared count as different.
func (s Spec) firesAs(old Spec, now time.Time) bool {
	if outstanding := func(end time.Time) bool { return end.IsZero() || end.After(now) }; outstanding(s.End) && outstanding(old.End) {
		s.End, old.End = time.Time{}, time.Time{}
	}
	if s.Schedule == old.Schedule && s.TimeZone == old.TimeZone && s.Start.Equal(old.Start) && s.End.Equal(old.End) && slices.Equal(s.Except, old.Except) {
		return true
	}
	these, err := s.Times()
	if err != nil || cron.AfterEnd(these) {
		return false
	}
	those, err := old.Times()
	if err != nil || cron.AfterEnd(those) {
		return false
	}
	from := old.Since
	for range compared {
		this, that := these.Next(from), those.Next(from)
		thisIsPast, thatIsPast := !this.IsZero() && !this.After(now), !that.IsZero() && !that.After(now)
		switch {
		case !thisIsPast && !thatIsPast:
			return true
		case !this.Equal(that):
			return false
		}
		from = this
	}
	return false
}

// encode returns the spec as it is stored in the document of a job.
func (s Spec) encode() []byte { return encode(s.clamped()) }

// clamped returns s with times that can be stored.
func (s Spec) clamped() Spec {
	for _, t := range []*time.Time{&s.Since, &s.Resharded, &s.Enabled, &s.Start, &s.End} {
		*t = years.Clamp(*t)
	}
	return s
}

// checkStored returns an error unless a spec that was read can be acted on and
// written again.
func (s Spec) checkStored() error {
	if err := within("a job", s.Since, s.Resharded, s.Enabled); err != nil {
		return err
	}
	if err := s.EnabledShards.check(); err != nil {
		return err
	}
	return s.Check()
}
