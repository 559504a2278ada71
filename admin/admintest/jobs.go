package admintest

import (
	"reflect"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
)

// jobCases are about changes of jobs.
func jobCases() []testCase {
	return []testCase{
		{"job/apply creates", func(w *World) {
			r := w.apply(report())
			if !r.Applied || r.Rev != 1 || r.Act != "apply" || r.Target != "report" || r.By != "li" || r.ID == "" {
				w.t.Errorf("got %+v", r)
			}
			if got := w.config("report"); got.Shards != 3 || got.Sharding != "sticky" {
				w.t.Errorf("got %+v", got)
			}
		}},
		{"job/apply replaces", func(w *World) {
			w.apply(report())
			changed := report()
			changed.Shards = 5
			r := w.apply(changed)
			want := []admin.Change{{Field: "shards", Old: "3", New: "5"}}
			if r.Rev != 2 || !slices.Equal(r.Changes, want) || w.config("report").Shards != 5 {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"job/apply of the same writes nothing", func(w *World) {
			w.apply(report())
			r := w.apply(report())
			if r.Applied || r.Differs || r.Rev != 1 || r.ID != "" || len(w.audit()) != 1 {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"job/apply keeps every field", func(w *World) {
			job := elastic.Job{
				Name:            "full",
				Description:     "<b> & \"quotes\"",
				Schedule:        "0 0 3 * * ?",
				TimeZone:        "Asia/Shanghai",
				Except:          []string{"SAT-SUN"},
				Jitter:          time.Minute,
				Shards:          2,
				ShardParameters: map[int]string{1: "one"},
				Sharding:        "average",
				Failover:        true,
				MaxAttempts:     7,
				Misfire:         elastic.MisfireAll,
				MisfireWindow:   time.Hour,
				Overlap:         elastic.OverlapSkip,
				Timeout:         time.Hour,
				Retries:         2,
				RetryDelay:      time.Second,
				RetryMaxDelay:   time.Minute,
				MaxConcurrent:   1,
				Requires:        map[string]string{"zone": "eu"},
				DisabledShards:  []int{1},
			}
			w.apply(job)
			if got := w.config("full"); !reflect.DeepEqual(got, job) {
				w.t.Errorf("got  %+v\nwant %+v", got, job)
			}
		}},
		{"job/apply keeps since for a change of no matter", func(w *World) {
			w.apply(report())
			changed := report()
			changed.Description = "nightly"
			if r := w.apply(changed); len(r.Consequences) != 0 {
				w.t.Errorf("a description has consequences: %q", r.Consequences)
			}
		}},
		{"job/apply tells consequences", func(w *World) {
			w.apply(report())
			changed := report()
			changed.Schedule = "0 30 3 * * ?"
			if r := w.apply(changed); len(r.Consequences) == 0 || len(r.Warnings) == 0 {
				w.t.Errorf("got %q and %q", r.Consequences, r.Warnings)
			}
		}},
		{"job/disable and enable", func(w *World) {
			w.apply(report())
			r, err := w.API.Disable(w.ctx(), "report", admin.Why("INC-4711"))
			w.ok(err)
			if !r.Applied || r.Rev != 2 || r.Why != "INC-4711" || !w.config("report").Disabled {
				w.t.Errorf("got %+v", r)
			}
			r, err = w.API.Enable(w.ctx(), "report")
			w.ok(err)
			if !r.Applied || r.Rev != 3 || w.config("report").Disabled {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"job/disable twice writes once", func(w *World) {
			w.apply(report())
			_, err := w.API.Disable(w.ctx(), "report")
			w.ok(err)
			r, err := w.API.Disable(w.ctx(), "report")
			w.ok(err)
			if r.Applied || r.Differs || r.Rev != 2 || len(w.audit()) != 2 {
				w.t.Errorf("got %+v and %d entries", r, len(w.audit()))
			}
		}},
		{"job/disable and enable shards", func(w *World) {
			w.apply(report())
			_, err := w.API.DisableShards(w.ctx(), "report", []int{2, 0, 2})
			w.ok(err)
			if got := w.config("report").DisabledShards; !slices.Equal(got, []int{0, 2}) {
				w.t.Errorf("got %v", got)
			}
			_, err = w.API.EnableShards(w.ctx(), "report", []int{0, 1})
			w.ok(err)
			if got := w.config("report").DisabledShards; !slices.Equal(got, []int{2}) {
				w.t.Errorf("got %v", got)
			}
		}},
		{"job/remove and restore", func(w *World) {
			w.apply(report())
			r, err := w.API.Remove(w.ctx(), "report", admin.Why("gone"))
			w.ok(err)
			if !r.Applied || r.Rev != 2 {
				w.t.Errorf("got %+v", r)
			}
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			if d.State != status.JobRemoved || d.Changed.Why != "gone" || d.Config.Shards != 3 {
				w.t.Errorf("got %+v", d)
			}
			r, err = w.API.Restore(w.ctx(), "report")
			w.ok(err)
			if got := w.config("report"); !got.Disabled || got.Shards != 3 || r.Rev != 3 || len(r.Consequences) != 1 {
				w.t.Errorf("got %+v and %+v", got, r)
			}
		}},
		{"job/restore with force is enabled", func(w *World) {
			w.apply(report())
			_, err := w.API.Remove(w.ctx(), "report")
			w.ok(err)
			_, err = w.API.Restore(w.ctx(), "report", admin.Force())
			w.ok(err)
			if w.config("report").Disabled {
				w.t.Error("it is disabled")
			}
		}},
		{"job/remove twice writes once", func(w *World) {
			w.apply(report())
			_, err := w.API.Remove(w.ctx(), "report")
			w.ok(err)
			r, err := w.API.Remove(w.ctx(), "report")
			w.ok(err)
			if r.Applied || r.Differs {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"job/remove refuses a job that others follow", func(w *World) {
			w.apply(report())
			w.apply(elastic.Job{Name: "mail", After: []string{"report"}})
			_, err := w.API.Remove(w.ctx(), "report")
			w.wantError(err, admin.ErrRefused)
			_, err = w.API.Remove(w.ctx(), "report", admin.Force())
			w.ok(err)
		}},
		{"job/a removed job is not changed", func(w *World) {
			w.apply(report())
			_, err := w.API.Remove(w.ctx(), "report")
			w.ok(err)
			_, err = w.API.Apply(w.ctx(), report())
			w.wantError(err, admin.ErrRemoved)
			_, err = w.API.Disable(w.ctx(), "report")
			w.wantError(err, admin.ErrRemoved)
			_, err = w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
			w.wantError(err, admin.ErrRemoved)
			_, err = w.API.Rollback(w.ctx(), "report", 1)
			w.wantError(err, admin.ErrRemoved)
		}},
		{"job/restore refuses a job that is here", func(w *World) {
			w.apply(report())
			_, err := w.API.Restore(w.ctx(), "report")
			w.wantError(err, admin.ErrExists)
		}},
		{"job/programs do not revive a removed job", func(w *World) {
			w.apply(report())
			_, err := w.API.Remove(w.ctx(), "report")
			w.ok(err)
			s := w.start("a", nothing, report())
			_, err = s.Instances(w.ctx()) // the watches have shown the namespace
			w.ok(err)
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			if d.State != status.JobRemoved {
				w.t.Errorf("got %+v", d)
			}
		}},
		{"job/revisions", func(w *World) {
			for i := range 12 {
				job := report()
				job.Shards = i + 1
				w.apply(job)
			}
			all, err := w.API.Revisions(w.ctx(), "report")
			w.ok(err)
			if len(all) != 9 || all[0].Rev != 12 || all[8].Rev != 4 {
				w.t.Fatalf(
					"got %d revisions, from %d to %d; want 9, from 12 to 4",
					len(all),
					all[0].Rev,
					all[len(all)-1].Rev,
				)
			}
			want := []admin.Change{{Field: "shards", Old: "11", New: "12"}}
			if !slices.Equal(all[0].Changes, want) || all[0].Changed.By != "li" || all[8].Config.Shards != 4 {
				w.t.Errorf("got %+v", all[0])
			}
		}},
		{"job/rollback", func(w *World) {
			w.apply(report())
			changed := report()
			changed.Shards, changed.Schedule = 7, "@daily"
			w.apply(changed)
			r, err := w.API.Rollback(w.ctx(), "report", 1)
			w.ok(err)
			if got := w.config("report"); r.Rev != 3 || got.Shards != 3 || got.Schedule != report().Schedule {
				w.t.Errorf("got %+v and %+v", r, got)
			}
		}},
		{"job/rollback to what is not kept", func(w *World) {
			w.apply(report())
			_, err := w.API.Rollback(w.ctx(), "report", 1)
			w.wantError(err, admin.ErrNotFound)
			_, err = w.API.Rollback(w.ctx(), "report", 99)
			w.wantError(err, admin.ErrNotFound)
		}},
		{"job/a handler runs after apply", func(w *World) {
			s := w.start("a", nothing, elastic.Job{Name: "tick", Schedule: "@every 1s"})
			w.until("it ran", func() bool {
				shards, err := s.Shards(w.ctx(), "tick")
				return err == nil && len(shards) == 1 && shards[0].Result == "ok"
			})
			_, err := w.API.Disable(w.ctx(), "tick")
			w.ok(err)
			shards, err := w.API.Shards(w.ctx(), "tick")
			w.ok(err)
			last := shards[0].Fence
			time.Sleep(1500 * time.Millisecond)
			shards, err = w.API.Shards(w.ctx(), "tick")
			w.ok(err)
			if shards[0].Fence != last {
				w.t.Errorf("it began after an acknowledged disable: fence %d, then %d", last, shards[0].Fence)
			}
		}},
	}
}
