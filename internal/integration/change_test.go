package integration

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
)

// replace replaces a job on an instance, and in the store, by another version.
func replace(t *testing.T, c *elastictest.Cluster, instance string, j elastic.Job, h elastic.Handler) {
	t.Helper()
	if err := c.Scheduler(instance).Unregister(j.Name); err != nil {
		t.Fatal(err)
	}
	if err := c.AddTo(instance, j, h, elastic.Overwrite()); err != nil {
		t.Fatal(err)
	}
}

// changes has a list of changes for each field of a job.
var changes = map[string][]func(*elastic.Job){
	"Name":        nil, // another name means another job
	"Description": {func(j *elastic.Job) { j.Description = "new" }},
	"Schedule": {
		func(j *elastic.Job) { j.Schedule, j.After, j.AfterEnds = "0 5 * * * ?", nil, "" },
		func(j *elastic.Job) { j.Schedule, j.After, j.AfterEnds = "0 0/20 * * * ?", nil, "" },
		func(j *elastic.Job) { j.Schedule, j.After, j.AfterEnds = "0 0 0/2 * * ? *", nil, "" },
		func(j *elastic.Job) { j.Schedule, j.After, j.AfterEnds = "@after 2h", nil, "" },
		func(j *elastic.Job) { j.Schedule, j.After, j.AfterEnds = "@every 30m", nil, "" },
	},
	"After":     {func(j *elastic.Job) { j.After, j.Schedule, j.Except = []string{"ran"}, "", nil }},
	"AfterEnds": {func(j *elastic.Job) { j.AfterEnds = elastic.AfterEnded }},
	"TimeZone": {
		func(j *elastic.Job) { j.TimeZone = "Asia/Kolkata" },
		func(j *elastic.Job) { j.TimeZone = "Asia/Shanghai" },
	},
	"Start": {
		func(j *elastic.Job) { j.Start = atHour(0).Add(10 * time.Minute) },
		func(j *elastic.Job) { j.Start = atHour(100) },
	},
	"End": {
		func(j *elastic.Job) { j.End = atHour(1000) },
		func(j *elastic.Job) { j.End = atHour(0).Add(20 * time.Minute) },
	},
	"Except": {
		func(j *elastic.Job) { j.Except = nil },
		func(j *elastic.Job) { j.Except = []string{"2000-01-01..2000-01-01", "12-25"} },
		func(j *elastic.Job) { j.Except = []string{"22:00-06:00"} },
	},
	"Jitter": {
		func(j *elastic.Job) { j.Jitter = 0 },
		func(j *elastic.Job) { j.Jitter = 2 * time.Hour },
		func(j *elastic.Job) { j.Jitter = 10 * time.Second },
	},
	"Shards": {func(j *elastic.Job) { j.Shards = 5 }, func(j *elastic.Job) { j.Shards = 1 }},
	"Broadcast": {
		func(j *elastic.Job) { j.Broadcast, j.Shards, j.DisabledShards, j.Failover = true, 0, nil, false },
		func(j *elastic.Job) { j.Broadcast, j.Shards = false, 3 },
	},
	"Parameter":   {func(j *elastic.Job) { j.Parameter = "new" }},
	"Sharding":    {func(j *elastic.Job) { j.Sharding = "average" }},
	"Failover":    {func(j *elastic.Job) { j.Failover = true }},
	"MaxAttempts": {func(j *elastic.Job) { j.MaxAttempts = 7 }},
	"Misfire": {
		func(j *elastic.Job) { j.Misfire = elastic.MisfireOnce },
		func(j *elastic.Job) { j.Misfire = elastic.MisfireAll },
		func(j *elastic.Job) { j.Misfire = elastic.MisfireSkip },
	},
	"MisfireWindow": {
		func(j *elastic.Job) { j.MisfireWindow = 20 * time.Hour },
		func(j *elastic.Job) { j.MisfireWindow = time.Second },
	},
	"Overlap": {
		func(j *elastic.Job) { j.Overlap = elastic.OverlapQueue },
		func(j *elastic.Job) { j.Overlap = elastic.OverlapReplace },
		func(j *elastic.Job) { j.Overlap = elastic.OverlapSkip },
	},
	"Timeout":       {func(j *elastic.Job) { j.Timeout = 3 * time.Hour }},
	"CarryOn":       {func(j *elastic.Job) { j.CarryOn = time.Minute }},
	"Retries":       {func(j *elastic.Job) { j.Retries = 3 }},
	"RetryDelay":    {func(j *elastic.Job) { j.Retries, j.RetryDelay = 3, time.Minute }},
	"RetryMaxDelay": {func(j *elastic.Job) { j.Retries, j.RetryMaxDelay = 3, time.Hour }},
	"MaxConcurrent": {func(j *elastic.Job) { j.MaxConcurrent = 1 }},
	"Requires": {
		func(j *elastic.Job) { j.Requires = nil },
		func(j *elastic.Job) { j.Requires = map[string]string{"zone": "east"} },
	},
	"DisabledShards": {
		func(j *elastic.Job) { j.DisabledShards = nil },
		func(j *elastic.Job) { j.DisabledShards = []int{0} },
	},
	"ShardParameters": {func(j *elastic.Job) { j.ShardParameters = map[int]string{0: "new"} }},
	"Unclaimed":       {func(j *elastic.Job) { j.Unclaimed = !j.Unclaimed }},
	"Disabled":        {func(j *elastic.Job) { j.Disabled = !j.Disabled }},
}

func atHour(h int) time.Time { return time.Date(2000, 1, 1, h, 0, 0, 0, time.UTC) }

// A change of any field of a job begins nothing by itself. A fire that was
// reported as missed never runs, whatever the past of the job is.
func TestChange_OfAnyFieldBeginsNothing(t *testing.T) {
	fields := reflect.TypeFor[elastic.Job]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if list, ok := changes[name]; !ok || len(list) == 0 && name != "Name" {
			t.Errorf("no change of the field %s is tried", name)
		}
	}
	long := func(ctx context.Context, run elastic.Run) error {
		if run.Fire.Minute() == 30 {
			return elastictest.Work(ctx, 11*time.Minute)
		}
		return nil
	}
	fails := func(context.Context, elastic.Run) error { return fmt.Errorf("no connection") }
	pasts := map[string]struct {
		job     elastic.Job
		handler elastic.HandlerFunc
		down    bool // from 00:06 to 00:41:15
	}{
		"quiet":            {job: elastic.Job{Schedule: "0 0/5 * * * ?", Shards: 3}},
		"skipped at night": {job: elastic.Job{Schedule: "0 0/5 * * * ?", Misfire: elastic.MisfireSkip}, down: true},
		"skipped, jitter": {
			job:  elastic.Job{Schedule: "0 0/5 * * * ?", Misfire: elastic.MisfireSkip, Jitter: time.Minute, Shards: 2},
			down: true,
		},
		"too late for all": {
			job:  elastic.Job{Schedule: "0 0/5 * * * ?", Misfire: elastic.MisfireAll, MisfireWindow: time.Minute},
			down: true,
		},
		"one made up for":   {job: elastic.Job{Schedule: "0 0/5 * * * ?", Shards: 2}, down: true},
		"overlap":           {job: elastic.Job{Schedule: "0 0/5 * * * ?", Overlap: elastic.OverlapSkip}, handler: long},
		"exception":         {job: elastic.Job{Schedule: "0 0/5 * * * ?", Except: []string{"2000-01-01"}}},
		"disabled":          {job: elastic.Job{Schedule: "0 0/5 * * * ?", Disabled: true, Shards: 2}},
		"disabled shard":    {job: elastic.Job{Schedule: "0 0/5 * * * ?", Shards: 3, DisabledShards: []int{1}}},
		"labels of none":    {job: elastic.Job{Schedule: "0 0/5 * * * ?", Requires: map[string]string{"zone": "mars"}}},
		"not yet":           {job: elastic.Job{Schedule: "0 0/5 * * * ?", Start: atHour(500)}},
		"over":              {job: elastic.Job{Schedule: "0 0/5 * * * ?", End: atHour(0).Add(20 * time.Minute)}},
		"unclaimed":         {job: elastic.Job{Schedule: "0 0/5 * * * ?", Unclaimed: true}},
		"broadcast":         {job: elastic.Job{Schedule: "0 0/5 * * * ?", Broadcast: true}},
		"after the end":     {job: elastic.Job{Schedule: "@after 5m"}},
		"follows a failure": {job: elastic.Job{After: []string{"failed"}}},
		"follows none":      {job: elastic.Job{After: []string{"missing"}}},
		"manual":            {job: elastic.Job{Schedule: "@manual"}},
	}
	i := 0
	for _, past := range slices.Sorted(maps.Keys(pasts)) {
		row := pasts[past]
		for _, field := range slices.Sorted(maps.Keys(changes)) {
			for n, change := range changes[field] {
				job := row.job
				job.Name = "j"
				changed := job
				change(&changed)
				if changed.Validate() != nil || reflect.DeepEqual(job, changed) {
					continue // this job cannot have that change
				}
				if i++; !sampled(i) {
					continue
				}
				inCluster(t, fmt.Sprint(past, " ", field, " ", n), func(t *testing.T, c *elastictest.Cluster) {
					handler := row.handler
					if handler == nil {
						handler = succeeds
					}
					if len(job.After)+len(changed.After) > 0 {
						c.Add(elastic.Job{Name: "failed", Schedule: "0 0/5 * * * ?"}, elastic.HandlerFunc(fails))
						c.Add(elastic.Job{Name: "ran", Schedule: "0 0/5 * * * ?"}, succeeds)
					}
					c.Add(job, handler)
					c.StartWith("a", elastic.WithLabels(map[string]string{"zone": "east"}))
					c.Advance(6 * time.Minute)
					if row.down {
						c.Crash("a")
					}
					c.Advance(35*time.Minute + 15*time.Second)
					if row.down {
						c.Start("a")
					}
					c.Advance(75 * time.Second)
					before := len(c.Runs("j"))
					now := time.Now() // 00:42:30
					replace(t, c, "a", changed, handler)
					c.Advance(2 * time.Minute)
					for _, r := range c.Runs("j")[before:] {
						t.Errorf("the change of %s at %s started %s", field, now.Format(time.TimeOnly), r)
					}
					c.Advance(8 * time.Minute)
					for _, e := range c.Events() {
						if e.Kind != observe.Missed || e.Job != "j" || e.Until.After(now) {
							continue
						}
						for _, r := range c.Runs("j")[before:] {
							if !r.Fire.Before(e.Fire) && !r.Fire.After(e.Until) {
								t.Errorf(
									"the fires from %s to %s were reported as missed, but then ran: %s",
									e.Fire.Format(time.TimeOnly),
									e.Until.Format(time.TimeOnly),
									r,
								)
							}
						}
					}
				})
			}
		}
	}
}

// A strategy that no live instance knows keeps a job from running. A change to
// a known strategy begins none of the fires missed until then.
func TestChange_OfStrategyBeginsNothing(t *testing.T) {
	inCluster(t, "", func(t *testing.T, c *elastictest.Cluster) {
		job := elastic.Job{Name: "j", Schedule: "0 0 * * * ?", Sharding: "own"}
		c.StartWith("b", elastic.WithStrategy(own{}))
		if err := c.AddTo("b", job, succeeds); err != nil {
			t.Fatal(err)
		}
		c.Advance(70 * time.Minute)
		c.Crash("b")
		c.Start("a")
		job.Sharding = ""
		if err := c.AddTo("a", job, succeeds); err != nil {
			t.Fatal(err)
		}
		c.Advance(5 * time.Hour)
		before := len(c.Runs("j"))
		replace(t, c, "a", job, succeeds)
		c.Advance(10 * time.Minute)
		if n := len(c.Runs("j")) - before; n > 0 {
			t.Errorf("%d runs of fires that no instance could run, want 0", n)
		}
		c.Advance(time.Hour)
		if n := len(c.Runs("j")) - before; n != 1 {
			t.Errorf("%d runs in the hour after, want 1", n)
		}
	})
}

// own is a custom strategy.
type own struct{}

func (own) Name() string { return "own" }
func (own) Assign(job string, shards int, live []sharding.Instance, before []string) []string {
	s, err := sharding.ByName("sticky")
	if err != nil {
		return nil
	}
	return s.Assign(job, shards, live, before)
}

// A fire that waits for its jittered start survives a change that leaves the
// past as it is. A fire that a change drops is reported.
func TestChange_WhileFireWaits(t *testing.T) {
	for name, row := range map[string]struct {
		change  func(*elastic.Job)
		dropped bool
	}{
		"a parameter":             {change: func(j *elastic.Job) { j.Parameter = "new" }},
		"an end far away":         {change: func(j *elastic.Job) { j.End = atHour(10_000) }},
		"a start in the past":     {change: func(j *elastic.Job) { j.Start = atHour(0) }},
		"an exception to come":    {change: func(j *elastic.Job) { j.Except = []string{"2000-12-25"} }},
		"the same in other words": {change: func(j *elastic.Job) { j.Schedule = "0 0 3 * * ? *" }},
		"less jitter":             {change: func(j *elastic.Job) { j.Jitter = 5 * time.Minute }},
		"another hour":            {change: func(j *elastic.Job) { j.Schedule = "0 0 4 * * ?" }, dropped: true},
		"an end that has come":    {change: func(j *elastic.Job) { j.End = atHour(3) }, dropped: true},
		"another misfire":         {change: func(j *elastic.Job) { j.Misfire = elastic.MisfireSkip }, dropped: true},
		"an exception of today":   {change: func(j *elastic.Job) { j.Except = []string{"2000-01-01"} }, dropped: true},
	} {
		inCluster(t, name, func(t *testing.T, c *elastictest.Cluster) {
			job := elastic.Job{Name: "j", Schedule: "0 0 3 * * ?", Shards: 4, Jitter: 20 * time.Minute}
			c.Add(job, succeeds)
			c.Start("a")
			c.Advance(3*time.Hour + 10*time.Second)
			if n := len(c.Runs("j")); n != 0 {
				t.Fatalf("%d shards run before the change, want 0", n)
			}
			row.change(&job)
			replace(t, c, "a", job, succeeds)
			c.Advance(25 * time.Minute)
			want := 4
			if row.dropped {
				want = 0
			}
			if n := len(c.Runs("j")); n != want {
				t.Errorf("%d shards ran the fire of 03:00, want %d", n, want)
			}
			var told []string
			for _, e := range c.Events() {
				if e.Kind == observe.Missed {
					told = append(
						told,
						fmt.Sprint(e.Count, " ", e.Fire.Format(time.TimeOnly), " ", e.Code, " ", e.Args["shards"]),
					)
				}
			}
			wantTold := ""
			if row.dropped {
				wantTold = "1 03:00:00 missed_job_changed 0-3"
			}
			if got := strings.Join(told, "; "); got != wantTold {
				t.Errorf("reported as missed: %q, want %q", got, wantTold)
			}
		})
	}
}

// A job without further fires replaces one that runs. It is refused only if it
// is not yet in the store.
func TestChange_ToJobThatIsOver(t *testing.T) {
	for name, change := range map[string]func(*elastic.Job){
		"end":              func(j *elastic.Job) { j.End = atHour(2) },
		"instant":          func(j *elastic.Job) { j.Schedule = "@at 2000-01-01T01:00:00Z" },
		"year":             func(j *elastic.Job) { j.Schedule = "0 0 0 1 1 ? 1999" },
		"disabled and end": func(j *elastic.Job) { j.Disabled, j.End = true, atHour(2) },
		"start after end":  func(j *elastic.Job) { j.Start, j.End = atHour(1), atHour(1).Add(time.Minute) },
	} {
		inCluster(t, name, func(t *testing.T, c *elastictest.Cluster) {
			job := elastic.Job{Name: "j", Schedule: "0 0 * * * ?"}
			c.Add(job, succeeds)
			c.Start("a")
			c.Advance(3*time.Hour + 10*time.Minute)
			before := len(c.Runs("j"))
			change(&job)
			if err := job.Validate(); err != nil {
				t.Fatal(err)
			}
			replace(t, c, "a", job, succeeds)
			c.Advance(5 * time.Hour)
			if n := len(c.Runs("j")) - before; n > 0 {
				t.Errorf("%d runs in the five hours after the replacement, want 0", n)
			}
			for _, e := range c.Events() {
				if e.Kind == observe.Refused {
					t.Errorf("refused: %s", e.Detail)
				}
			}
			before = len(c.Runs("j"))
			replace(t, c, "a", elastic.Job{Name: "j", Schedule: "0 0 * * * ?"}, succeeds)
			c.Advance(5 * time.Hour)
			if n := len(c.Runs("j")) - before; n != 5 {
				t.Errorf("%d runs in the five hours after the second replacement, want 5", n)
			}
		})
	}
}
