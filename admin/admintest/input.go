package admintest

import (
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
)

// call is an act or a read in one line.
type call func(w *World) error

// acts are all acts, each with arguments that are right if the job report is
// there.
func acts() map[string]func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
	type act = func(w *World, o ...admin.ActOption) (admin.Receipt, error)
	return map[string]act{
		"apply": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			job := report()
			job.Description = "changed"
			return w.API.Apply(w.ctx(), job, o...)
		},
		"disable": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", o...)
		},
		"disable-shards": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.DisableShards(w.ctx(), "report", []int{1}, o...)
		},
		"remove": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Remove(w.ctx(), "report", o...)
		},
		"trigger": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{}, append(o, admin.Force())...)
		},
		"cordon": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Cordon(w.ctx(), "web-1", o...)
		},
		"drain": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Drain(w.ctx(), "host:h1", o...)
		},
		"pause": func(w *World, o ...admin.ActOption) (admin.Receipt, error) {
			return w.API.Pause(w.ctx(), o...)
		},
	}
}

// inputCases are about what is refused before anything is written.
func inputCases() []testCase {
	long := strings.Repeat("x", 300)
	rows := []struct {
		name string
		want error
		call call
	}{
		{"a job without a name", admin.ErrInvalid, applying(elastic.Job{Schedule: "@daily"})},
		{"a name with a slash", admin.ErrInvalid, applying(elastic.Job{Name: "a/b", Schedule: "@daily"})},
		{"a long name", admin.ErrInvalid, applying(elastic.Job{Name: long, Schedule: "@daily"})},
		{"a bad schedule", admin.ErrInvalid, applying(elastic.Job{Name: "a", Schedule: "every day"})},
		{"no schedule", admin.ErrInvalid, applying(elastic.Job{Name: "a"})},
		{
			"a bad zone",
			admin.ErrInvalid,
			applying(elastic.Job{Name: "a", Schedule: "@daily", TimeZone: "Asia/Shanghi"}),
		},
		{"too many shards", admin.ErrInvalid, applying(elastic.Job{Name: "a", Schedule: "@daily", Shards: 10_001})},
		{"negative shards", admin.ErrInvalid, applying(elastic.Job{Name: "a", Schedule: "@daily", Shards: -1})},
		{"a bad policy", admin.ErrInvalid, applying(elastic.Job{Name: "a", Schedule: "@daily", Misfire: "maybe"})},
		{
			"a job that never fires",
			admin.ErrInvalid,
			applying(elastic.Job{Name: "a", Schedule: "@at 2001-01-01T00:00:00Z"}),
		},
		{"a job that follows itself", admin.ErrInvalid, applying(elastic.Job{Name: "a", After: []string{"a"}})},
		{
			"disable: no such job",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Disable(w.ctx(), "nothing") }),
		},
		{
			"enable: no such job",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Enable(w.ctx(), "nothing") }),
		},
		{
			"remove: no such job",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Remove(w.ctx(), "nothing") }),
		},
		{
			"restore: no such job",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Restore(w.ctx(), "nothing") }),
		},
		{
			"rollback: no such job",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Rollback(w.ctx(), "nothing", 1) }),
		},
		{
			"disable: a bad name",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Disable(w.ctx(), "../jobs") }),
		},
		{
			"shards: none",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.DisableShards(w.ctx(), "report", nil) }),
		},
		{"shards: out of range", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.DisableShards(w.ctx(), "report", []int{3})
		})},
		{"shards: negative", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.EnableShards(w.ctx(), "report", []int{-1})
		})},
		{"trigger: no such job", admin.ErrNotFound, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Trigger(w.ctx(), "nothing", admin.TriggerRequest{}, admin.Force())
		})},
		{"trigger: no instance has the job", admin.ErrRefused, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{})
		})},
		{"trigger: shards out of range", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{Shards: []int{0, 3}}, admin.Force())
		})},
		{"trigger: a long parameter", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Trigger(
				w.ctx(),
				"report",
				admin.TriggerRequest{Parameter: strings.Repeat("p", 4097)},
				admin.Force(),
			)
		})},
		{"trigger: a parameter that is no text", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Trigger(w.ctx(), "report", admin.TriggerRequest{Parameter: "\xff"}, admin.Force())
		})},
		{"cancel: nothing named", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Cancel(w.ctx(), "report", admin.CancelRequest{})
		})},
		{"cancel: both named", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Fire: time.Now(), Trigger: 1})
		})},
		{"cancel: a fire that is not there", admin.ErrNotFound, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Fire: time.Now().Add(-time.Hour)})
		})},
		{"cancel: a trigger that is not there", admin.ErrNotFound, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Trigger: 12})
		})},
		{"cancel: a shard that is not there", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Cancel(w.ctx(), "report", admin.CancelRequest{Trigger: 12, Shards: []int{9}})
		})},
		{
			"cordon: a bad name",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Cordon(w.ctx(), "a/b") }),
		},
		{
			"cordon: no name",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Cordon(w.ctx(), "") }),
		},
		{
			"cordon: a bad host",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Drain(w.ctx(), "host:") }),
		},
		{
			"cordon: the whole namespace",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Cordon(w.ctx(), "@all") }),
		},
		{
			"leave: a name",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Leave(w.ctx(), "web-1") }),
		},
		{
			"leave: no such instance",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Leave(w.ctx(), "web-1@x") }),
		},
		{
			"evict: no such instance",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Evict(w.ctx(), "web-1@x") }),
		},
		{
			"evict: a bad ID",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Evict(w.ctx(), "a/b") }),
		},
		{
			"repair: a key of nothing",
			admin.ErrInvalid,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Repair(w.ctx(), "other/key") }),
		},
		{
			"repair: no such key",
			admin.ErrNotFound,
			acting(func(w *World) (admin.Receipt, error) { return w.API.Repair(w.ctx(), "jobs/nothing") }),
		},
		{"repair: a value that reads well", admin.ErrRefused, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Repair(w.ctx(), "jobs/report")
		})},
		{"a long reason", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", admin.Why(long))
		})},
		{"a reason that is no text", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", admin.Why("\xff"))
		})},
		{"an op that is none", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", admin.Op("again"))
		})},
		{"an op of another version", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", admin.Op("550e8400-e29b-41d4-a716-446655440000"))
		})},
		{"an op of yesterday", admin.ErrInvalid, acting(func(w *World) (admin.Receipt, error) {
			return w.API.Disable(w.ctx(), "report", admin.Op("018f0000-0000-7000-8000-000000000000"))
		})},
		{
			"read: no such job",
			admin.ErrNotFound,
			func(w *World) error { _, err := w.API.Job(w.ctx(), "nothing"); return err },
		},
		{
			"read: a bad name",
			admin.ErrInvalid,
			func(w *World) error { _, err := w.API.Job(w.ctx(), "a/b"); return err },
		},
		{
			"read: shards of no job",
			admin.ErrNotFound,
			func(w *World) error { _, err := w.API.Shards(w.ctx(), "nothing"); return err },
		},
		{
			"read: revisions of no job",
			admin.ErrNotFound,
			func(w *World) error { _, err := w.API.Revisions(w.ctx(), "nothing"); return err },
		},
		{
			"read: no such instance",
			admin.ErrNotFound,
			func(w *World) error { _, err := w.API.Instance(w.ctx(), "a@1"); return err },
		},
		{"read: a bad state", admin.ErrInvalid, listing(admin.JobQuery{States: []status.JobState{"sad"}})},
		{"read: a bad sort", admin.ErrInvalid, listing(admin.JobQuery{Sort: "size"})},
		{"read: a bad limit", admin.ErrInvalid, listing(admin.JobQuery{Limit: -1})},
		{"read: a bad cursor", admin.ErrInvalid, listing(admin.JobQuery{Cursor: "x"})},
		{"read: a bad cursor of the audit", admin.ErrInvalid, func(w *World) error {
			_, err := w.API.Audit(w.ctx(), admin.AuditQuery{Cursor: "x"})
			return err
		}},
		{"why: nothing", admin.ErrInvalid, asking(admin.WhyQuery{})},
		{"why: both", admin.ErrInvalid, asking(admin.WhyQuery{Job: "report", Instance: "a@1"})},
		{"why: no such job", admin.ErrNotFound, asking(admin.WhyQuery{Job: "nothing"})},
		{"why: no such shard", admin.ErrInvalid, asking(admin.WhyQuery{Job: "report", Shard: 3})},
		{"why: no such instance", admin.ErrNotFound, asking(admin.WhyQuery{Instance: "a@1"})},
	}
	var all []testCase
	for _, row := range rows {
		all = append(all, testCase{"input/" + row.name, func(w *World) {
			w.apply(report())
			before := len(w.audit())
			err := row.call(w)
			w.wantError(err, row.want)
			if n := len(w.audit()); n != before {
				w.t.Errorf("it wrote %d entries", n-before)
			}
		}})
	}
	return all
}

func applying(job elastic.Job) call {
	return acting(func(w *World) (admin.Receipt, error) { return w.API.Apply(w.ctx(), job) })
}

func acting(f func(w *World) (admin.Receipt, error)) call {
	return func(w *World) error {
		_, err := f(w)
		return err
	}
}

func listing(q admin.JobQuery) call {
	return func(w *World) error {
		_, err := w.API.Jobs(w.ctx(), q)
		return err
	}
}

func asking(q admin.WhyQuery) call {
	return func(w *World) error {
		_, err := w.API.Why(w.ctx(), q)
		return err
	}
}
