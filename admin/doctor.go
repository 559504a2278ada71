package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// DoctorQuery says how far to look.
type DoctorQuery struct {
	// Write tests whether the client may write, with one ephemeral key, and
	// measures 20 commits.
	Write bool `json:"write,omitempty"`
}

// Level is how urgent a finding is.
type Level string

// The levels.
const (
	LevelError Level = "error" // something does not run that should
	LevelWarn  Level = "warn"  // something needs a person, sooner or later
	LevelOK    Level = "ok"    // for the record
)

// Finding is something that was found.
type Finding struct {
	Level   Level  `json:"level"`
	Code    string `json:"code"`              // in snake_case; it keeps its meaning in later versions
	Subject string `json:"subject,omitempty"` // a job, a shard, an instance or a key
	Text    string `json:"text"`              // what is so, and what it means

	// Since is when it began, as far as the store tells.
	Since time.Time `json:"since,omitzero"`

	// Command mends it, or helps to; empty if there is none.
	Command string `json:"command,omitempty"`
}

// Report is the result of a look at a namespace.
type Report struct {
	Findings []Finding `json:"findings"` // the most urgent first
	AsOf     time.Time `json:"asOf"`

	Jobs      int `json:"jobs"`
	Instances int `json:"instances"`
	Records   int `json:"records"` // that were read
}

// Errors returns the number of findings of LevelError.
func (r Report) Errors() int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == LevelError {
			n++
		}
	}
	return n
}

// Doctor looks for what keeps jobs from running, and for what needs a person.
// It sends nine lists and one for each job, until it has read the records of
// MaxShards shards. With Write it also sends 22 commits.
func (c *Client) Doctor(ctx context.Context, q DoctorQuery) (Report, error) {
	r, err := c.doctor(ctx, q)
	if err != nil {
		return Report{}, fmt.Errorf("examine the namespace: %w", err)
	}
	return r, nil
}

// examination collects findings.
type examination struct {
	Report
	*fleetView
	now time.Time
}

func (x *examination) find(level Level, code, subject, command, format string, a ...any) *Finding {
	x.Findings = append(x.Findings, Finding{
		Level:   level,
		Code:    code,
		Subject: subject,
		Text:    fmt.Sprintf(format, a...),
		Command: command,
	})
	return &x.Findings[len(x.Findings)-1]
}

func (c *Client) doctor(ctx context.Context, q DoctorQuery) (Report, error) {
	began := time.Now()
	v, err := c.fleet(ctx)
	if err != nil {
		return Report{}, err
	}
	took := time.Since(began)
	x := &examination{fleetView: v, now: c.now()}
	unread, err := c.readRecords(ctx, v.jobs)
	if err != nil {
		return Report{}, err
	}
	others, err := c.lists(ctx, layout.Cordons, layout.Audits, layout.Revisions, layout.Heartbeats)
	if err != nil {
		return Report{}, err
	}
	x.clockHere()
	for _, j := range v.jobs {
		x.examine(j)
	}
	x.instances(others[3])
	x.cordons(others[0])
	x.documents(slices.Concat(others...))
	if unread > 0 {
		x.find(
			LevelWarn,
			"not_read",
			"",
			"",
			"%s have too many shards for one look, so their records were not read",
			fleet.Counted(unread, "job"),
		)
	}
	if q.Write {
		x.writes(c.probe(ctx))
	}
	x.Jobs, x.Instances = len(v.jobs), len(v.Namespace.Instances)
	if len(x.Findings) == 0 {
		x.find(LevelOK, "healthy", "", "", "nothing is wrong")
	}
	x.find(
		LevelOK,
		"store",
		"",
		"",
		"%s answers: %s, %s and %s read; the documents in %s",
		c.store.Caps().Driver,
		fleet.Counted(
			x.Jobs,
			"job",
		),
		fleet.Counted(x.Instances, "instance"),
		fleet.Counted(x.Records, "record"),
		took.Round(time.Millisecond),
	)
	order := []Level{LevelError, LevelWarn, LevelOK}
	slices.SortStableFunc(x.Findings, func(a, b Finding) int {
		return slices.Index(order, a.Level) - slices.Index(order, b.Level)
	})
	x.AsOf = x.now.UTC()
	return x.Report, nil
}

// clockHere compares the clock of this computer with those of the fleet.
func (x *examination) clockHere() {
	if _, err := judge(x.now, x.clocks, false); err != nil {
		x.find(LevelWarn, "clock_here", "", "", "%v", err)
	}
}

// tombstoneAge is how long tombstones are kept, and a day for the sweeper.
const tombstoneAge = 8 * 24 * time.Hour

// waitingFor is how long a trigger may wait.
const waitingFor = 10 * time.Minute

// examine looks at one job.
func (x *examination) examine(j *fleet.Job) {
	x.Records += len(j.Records)
	s := x.Status(j, x.now)
	switch s.State {
	case status.JobUnreadable:
		x.find(LevelError, "unreadable", j.Name, "elasticctl store repair "+j.Key, "%s", s.Reason.Text)
		return
	case status.JobRemoved:
		if age := x.now.Sub(j.Doc.Changed.At); age > tombstoneAge {
			f := x.find(
				LevelWarn,
				"old_tombstone",
				j.Name,
				"",
				"it was removed %s ago and is not swept yet: no instance lives, or none of it can be swept",
				age.Round(time.Hour),
			)
			f.Since = j.Doc.Changed.At
		}
		return
	}
	if j.Spec == nil {
		return
	}
	if err := j.Spec.Fires(x.now); errors.Is(err, cron.ErrNever) && !j.Spec.Disabled {
		x.find(LevelWarn, "never_fires", j.Name, "elasticctl job remove "+j.Name, "its schedule never fires again")
	}
	x.shards(j, s)
	for _, t := range j.Triggers() {
		if len(t.Waiting) > 0 && x.now.Sub(t.At) > waitingFor {
			f := x.find(LevelWarn, "trigger_waits", j.Name, fmt.Sprintf("elasticctl why %s/%d", j.Name, t.Waiting[0]),
				"trigger %d by %s waits on the shards %s", t.Number, t.By, FormatShards(t.Waiting))
			f.Since = t.At
		}
	}
}

// shards looks at the shards of a job, and tells those of one kind together.
func (x *examination) shards(j *fleet.Job, s status.Job) {
	kinds := map[status.ShardState][]status.Shard{}
	for _, shard := range x.Shards(j, x.now) {
		kinds[shard.State] = append(kinds[shard.State], shard)
	}
	for _, shard := range kinds[status.ShardStuck] {
		f := x.find(LevelError, "stuck", fmt.Sprintf("%s/%d", j.Name, shard.Shard),
			fmt.Sprintf("elasticctl job cancel %s --fire %s", j.Name, stamp(shard.Fire)),
			"it runs on %s, which is gone; no instance took it over: %s", shard.RunsOn, shard.Reason.Text)
		f.Since = shard.Started
	}
	for _, row := range []struct {
		state status.ShardState
		level Level
		text  string
	}{
		{status.ShardUnowned, LevelError, "shards %s have no live owner: %s"},
		{status.ShardLate, LevelWarn, "shards %s are late: %s"},
		{status.ShardUnreadable, LevelError, "the records of shards %s can't be read: %s"},
	} {
		all := kinds[row.state]
		if len(all) == 0 {
			continue
		}
		level := row.level
		if row.state == status.ShardUnowned && j.Spec.Disabled {
			level = LevelWarn
		}
		numbers := make([]int, len(all))
		for i, shard := range all {
			numbers[i] = shard.Shard
		}
		command := fmt.Sprintf("elasticctl why %s/%d", j.Name, all[0].Shard)
		if row.state == status.ShardUnreadable {
			command = "elasticctl store repair " + layout.RunKey(j.Name, all[0].Shard)
		}
		f := x.find(level, string(row.state), j.Name, command, row.text, FormatShards(numbers), all[0].Reason.Text)
		f.Since = all[0].Due
	}
	if s.State == status.JobUnowned && s.Shards == 0 {
		x.find(LevelError, "unowned", j.Name, "", "it has no shards: %s", s.Reason.Text)
	}
}

// instances looks at the live instances.
func (x *examination) instances(heartbeats []store.Entry) {
	last := map[string]time.Time{}
	for _, e := range heartbeats {
		if id, ok := layout.NameOf(layout.Heartbeats, e.Key); ok {
			h, _ := layout.DecodeHeartbeat(e.Value)
			last[id] = h.Clock
		}
	}
	for _, i := range x.Namespace.Instances {
		beat := last[i.ID]
		switch {
		case i.Err != nil:
			x.find(LevelError, "unreadable", i.ID, "elasticctl instance evict "+i.ID, "%v", i.Err)
		case i.State == layout.ClockOff:
			x.find(
				LevelError,
				"clock_off",
				i.ID,
				"",
				"its clock differs from most others', so it begins nothing; run NTP there",
			)
		case !beat.IsZero() && x.now.Sub(beat) > oldestClock+time.Minute:
			f := x.find(
				LevelWarn,
				"silent",
				i.ID,
				"elasticctl instance evict "+i.ID,
				"its last heartbeat is %s old",
				x.now.Sub(beat).Round(time.Second),
			)
			f.Since = beat
		}
	}
}

// oldCordon is how long a cordon may stand before it is worth a question.
const oldCordon = 7 * 24 * time.Hour

// cordons looks at what operators keep from working.
func (x *examination) cordons(entries []store.Entry) {
	for _, e := range entries {
		name, _ := layout.NameOf(layout.Cordons, e.Key)
		doc, err := layout.DecodeCordon(name, e.Value)
		if err != nil || doc.Action == layout.ActionNone {
			continue // documents tells of one that can't be read
		}
		by := doc.Changed
		switch {
		case doc.Action == layout.ActionPause:
			f := x.find(
				LevelWarn,
				"paused",
				"",
				"elasticctl resume",
				"the namespace is paused by %s: %s",
				by.By,
				by.Why,
			)
			f.Since = by.At
		case x.now.Sub(by.At) > oldCordon:
			f := x.find(
				LevelWarn,
				"old_cordon",
				name,
				"elasticctl instance uncordon "+name,
				"%s by %s: %s",
				doc.Action,
				by.By,
				by.Why,
			)
			f.Since = by.At
		}
	}
}

// documents looks for keys that can't be read, or are none of this program's.
func (x *examination) documents(entries []store.Entry) {
	for _, e := range entries {
		if layout.KindOf(e.Key) == nil {
			x.find(LevelWarn, "foreign_key", e.Key, "", "the key is none of this program's")
			continue
		}
		if err := readable(e.Key, e.Value); err != nil {
			x.find(LevelWarn, "unreadable", e.Key, "elasticctl store repair "+e.Key, "%v", err)
		}
	}
}

// probes is how many commits are measured.
const probes = 20

// probe measures commits to a key that only it writes.
func (c *Client) probe(ctx context.Context) (took []time.Duration, err error) {
	key := layout.Audits + "/probe-" + NewOp()
	create := store.Txn{Do: []store.Op{store.CreateEphemeral(key, []byte(`{"v":1}`))}}
	if err := c.commit(ctx, create); err != nil {
		return nil, err
	}
	for range probes {
		began := time.Now()
		if err = c.commit(ctx, store.Txn{Do: []store.Op{store.Set(key, []byte(`{"v":1}`))}}); err != nil {
			break
		}
		took = append(took, time.Since(began))
	}
	return took, errors.Join(err, c.commit(ctx, store.Txn{Do: []store.Op{store.Delete(key)}}))
}

func (x *examination) writes(took []time.Duration, err error) {
	if err != nil {
		x.find(LevelError, "not_writable", "", "", "a test key can't be written: %v", err)
		return
	}
	slices.Sort(took)
	x.find(LevelOK, "writable", "", "", "%d commits: half of them within %s, all within %s", len(took),
		took[len(took)/2].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond))
}
