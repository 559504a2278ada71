package admintest

import (
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
)

// signalCases are about triggers and cancels.
func signalCases() []testCase {
	manual := elastic.Job{Name: "manual", Schedule: "@manual", Shards: 2}
	return []testCase{
		{"trigger/runs", func(w *World) {
			w.start("a", nothing, manual)
			w.until("it is in the store", func() bool { _, err := w.API.Job(w.ctx(), "manual"); return err == nil })
			r, err := w.API.Trigger(w.ctx(), "manual", admin.TriggerRequest{Shards: []int{1}, Parameter: "p"})
			w.ok(err)
			if r.Number == 0 {
				w.t.Errorf("got %+v, want a number", r)
			}
			w.until("shard 1 ran it", func() bool {
				shards, err := w.API.Shards(w.ctx(), "manual")
				return err == nil && len(shards) == 2 && shards[1].Trigger == r.Number && shards[1].Result == "ok"
			})
			shards, err := w.API.Shards(w.ctx(), "manual")
			w.ok(err)
			if shards[0].Trigger != 0 {
				w.t.Errorf("shard 0 ran it: %+v", shards[0])
			}
		}},
		{"trigger/numbers grow", func(w *World) {
			w.apply(report())
			var last uint64
			for range 5 {
				r, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
				w.ok(err)
				if r.Number <= last {
					w.t.Errorf("number %d after %d", r.Number, last)
				}
				last = r.Number
			}
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			if len(d.Waiting) != 5 || d.Waiting[0].By != "li" || len(d.Waiting[0].Waiting) != 3 {
				w.t.Errorf("got %+v", d.Waiting)
			}
		}},
		{"trigger/at most 20 wait", func(w *World) {
			w.apply(report())
			for range 20 {
				_, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
				w.ok(err)
			}
			_, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
			w.wantError(err, admin.ErrBusy)
		}},
		{"trigger/a disabled job", func(w *World) {
			job := report()
			job.Disabled = true
			w.apply(job)
			_, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
			w.wantError(err, admin.ErrDisabled)
		}},
		{"trigger/disabled shards", func(w *World) {
			job := report()
			job.DisabledShards = []int{1}
			w.apply(job)
			_, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{Shards: []int{1}}, admin.Force())
			w.wantError(err, admin.ErrDisabled)
		}},
		{"trigger/an unclaimed job", func(w *World) {
			w.apply(elastic.Job{Name: "fast", Schedule: "@every 1s", Unclaimed: true})
			_, err := w.API.Trigger(w.ctx(), "fast", admin.TriggerRequest{}, admin.Force())
			w.wantError(err, admin.ErrUnclaimed)
		}},
		{"trigger/shards of a broadcast", func(w *World) {
			w.apply(elastic.Job{Name: "each", Schedule: "@daily", Broadcast: true})
			_, err := w.API.Trigger(w.ctx(), "each", admin.TriggerRequest{Shards: []int{0}}, admin.Force())
			w.wantError(err, admin.ErrBroadcast)
		}},
		{"cancel/a trigger that waits", func(w *World) {
			w.apply(report())
			given, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
			w.ok(err)
			r, err := w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Trigger: given.Number}, admin.Why("oops"))
			w.ok(err)
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			if r.Number == 0 || len(d.Cancels) != 1 || d.Cancels[0].Trigger != given.Number ||
				d.Cancels[0].Why != "oops" {
				w.t.Errorf("got %+v and %+v", r, d.Cancels)
			}
		}},
		{"cancel/a run", func(w *World) {
			w.start("a", waits, manual)
			w.until("it is in the store", func() bool { _, err := w.API.Job(w.ctx(), "manual"); return err == nil })
			given, err := w.API.Trigger(w.ctx(), "manual", admin.TriggerRequest{})
			w.ok(err)
			w.until("it runs", func() bool {
				d, err := w.API.Job(w.ctx(), "manual")
				return err == nil && d.Running == 2
			})
			r, err := w.API.Cancel(w.ctx(), "manual", admin.CancelRequest{Trigger: given.Number, Shards: []int{1}})
			w.ok(err)
			if len(r.Changes) != 1 || len(r.Consequences) != 1 {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"cancel/at most 20 wait", func(w *World) {
			w.apply(report())
			given, err := w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, admin.Force())
			w.ok(err)
			for range 20 {
				_, err = w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Trigger: given.Number})
				w.ok(err)
			}
			_, err = w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Trigger: given.Number})
			w.wantError(err, admin.ErrBusy)
		}},
		{"cancel/a fire of the future", func(w *World) {
			w.apply(report())
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			_, err = w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Fire: d.Next})
			w.wantError(err, admin.ErrNotFound)
		}},
		{"cancel/an unclaimed job", func(w *World) {
			w.apply(elastic.Job{Name: "fast", Schedule: "@every 1s", Unclaimed: true})
			_, err := w.API.Cancel(w.ctx(), "fast", admin.CancelRequest{Fire: time.Now()})
			w.wantError(err, admin.ErrUnclaimed)
		}},
	}
}
