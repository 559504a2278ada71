package admintest

import (
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
)

// readCases are about questions.
func readCases() []testCase {
	return []testCase{
		{"read/an empty namespace", func(w *World) {
			page, err := w.API.Jobs(w.ctx(), admin.JobQuery{})
			w.ok(err)
			all, err := w.API.Instances(w.ctx())
			w.ok(err)
			if page.Total != 0 || len(page.Jobs) != 0 || len(all) != 0 || len(w.audit()) != 0 {
				w.t.Errorf("got %+v and %+v", page, all)
			}
		}},
		{"read/pages", func(w *World) {
			for i := range 5 {
				w.apply(elastic.Job{Name: fmt.Sprintf("job-%d", i), Schedule: "@daily"})
			}
			q := admin.JobQuery{Limit: 2}
			var names []string
			for {
				page, err := w.API.Jobs(w.ctx(), q)
				w.ok(err)
				for _, j := range page.Jobs {
					names = append(names, j.Name)
				}
				if page.Total != 5 {
					w.t.Errorf("the total is %d, want 5", page.Total)
				}
				if page.Cursor == "" {
					break
				}
				q.Cursor = page.Cursor
			}
			if got := strings.Join(names, " "); got != "job-0 job-1 job-2 job-3 job-4" {
				w.t.Errorf("got %s", got)
			}
		}},
		{"read/search", func(w *World) {
			w.apply(elastic.Job{Name: "report", Schedule: "@daily", Description: "Nightly figures"})
			w.apply(elastic.Job{Name: "mail", Schedule: "@hourly", Requires: map[string]string{"zone": "eu"}})
			for query, want := range map[*admin.JobQuery]string{
				{Text: "nightly FIGURES"}:                    "report",
				{Text: "@hourly"}:                            "mail",
				{Requires: map[string]string{"zone": "eu"}}:  "mail",
				{Text: "nothing of that"}:                    "",
				{States: []status.JobState{"unowned"}}:       "mail report",
				{States: []status.JobState{"idle", "stuck"}}: "",
				{Instance: "a"}:                              "",
			} {
				page, err := w.API.Jobs(w.ctx(), *query)
				w.ok(err)
				var names []string
				for _, j := range page.Jobs {
					names = append(names, j.Name)
				}
				if got := strings.Join(names, " "); got != want {
					w.t.Errorf("%+v: got %q, want %q", *query, got, want)
				}
			}
		}},
		{"read/garbage in any key harms that job alone", func(w *World) {
			w.apply(report())
			w.put("jobs/bad", "{")
			w.put("jobs/old", `{"v":1,"schedule":"@daily"}`)
			w.put("assignments/report", "nonsense")
			w.put("instances/x@1", "\xff")
			page, err := w.API.Jobs(w.ctx(), admin.JobQuery{})
			w.ok(err)
			for _, j := range page.Jobs {
				if j.State != status.JobUnreadable || j.Reason.Args["key"] == "" {
					w.t.Errorf("got %+v, want unreadable", j)
				}
			}
			if len(page.Jobs) != 3 {
				w.t.Errorf("got %d jobs, want 3", len(page.Jobs))
			}
			_, err = w.API.Disable(w.ctx(), "bad")
			w.wantError(err, admin.ErrUnreadable)
			_, err = w.API.Job(w.ctx(), "bad")
			w.ok(err)
		}},
		{"read/why of a job, a shard, a fire and an instance", func(w *World) {
			w.start("web-1", nothing, report())
			w.until("it owns its shards", func() bool {
				d, err := w.API.Job(w.ctx(), "report")
				return err == nil && d.Owners == 1
			})
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			for _, q := range []admin.WhyQuery{
				{Job: "report", Shard: admin.AllShards},
				{Job: "report", Shard: 1},
				{Job: "report", Shard: admin.AllShards, Fire: d.Next},
				{Job: "report", Shard: 1, Fire: d.Next.AddDate(0, 0, -3)},
				{Instance: w.id()},
			} {
				a, err := w.API.Why(w.ctx(), q)
				w.ok(err)
				if a.Summary == "" || len(a.Basis) == 0 || !a.Fine || a.AsOf.IsZero() {
					w.t.Errorf("%+v: got %+v", q, a)
				}
			}
		}},
		{"read/why of a job that no instance has", func(w *World) {
			w.apply(report())
			a, err := w.API.Why(w.ctx(), admin.WhyQuery{Job: "report", Shard: 0})
			w.ok(err)
			if a.Fine || a.Reason.Code != status.CodeNoInstance {
				w.t.Errorf("got %+v", a)
			}
		}},
		{"read/why of a time that is no fire", func(w *World) {
			w.apply(report())
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			a, err := w.API.Why(w.ctx(), admin.WhyQuery{Job: "report", Shard: admin.AllShards, Fire: d.Next.Add(1)})
			w.ok(err)
			if a.Fine || a.Reason.Code != "no_such_fire" {
				w.t.Errorf("got %+v", a)
			}
		}},
		{"read/audit selects", func(w *World) {
			w.apply(report())
			w.apply(elastic.Job{Name: "mail", Schedule: "@daily"})
			_, err := w.API.Disable(w.ctx(), "report")
			w.ok(err)
			for query, want := range map[*admin.AuditQuery]int{
				{}:                                3,
				{Target: "report"}:                2,
				{Act: "apply"}:                    2,
				{By: "chen"}:                      0,
				{By: "li", Act: "disable"}:        1,
				{Limit: 2}:                        2,
				{Since: w.audit()[2].At.Add(1e9)}: 0,
			} {
				page, err := w.API.Audit(w.ctx(), *query)
				w.ok(err)
				if len(page.Entries) != want && query.Since.IsZero() {
					w.t.Errorf("%+v: got %d entries, want %d", *query, len(page.Entries), want)
				}
			}
			page, err := w.API.Audit(w.ctx(), admin.AuditQuery{Limit: 2})
			w.ok(err)
			page, err = w.API.Audit(w.ctx(), admin.AuditQuery{Limit: 2, Cursor: page.Cursor})
			w.ok(err)
			if len(page.Entries) != 1 || page.Entries[0].Target != "report" || page.Cursor != "" {
				w.t.Errorf("the second page: got %+v", page)
			}
		}},
		{"read/overview", func(w *World) {
			w.apply(report())
			w.start("web-1", nothing, elastic.Job{Name: "mail", Schedule: "0 0 3 * * ?"})
			w.until("mail is owned", func() bool {
				d, err := w.API.Job(w.ctx(), "mail")
				return err == nil && d.Owners == 1
			})
			o, err := w.API.Overview(w.ctx())
			w.ok(err)
			if o.Jobs[status.JobUnowned] != 1 || o.Jobs[status.JobIdle] != 1 || o.Instances[status.InstanceUp] != 1 ||
				len(o.Problems) != 1 || o.Problems[0].Name != "report" || o.Shards != 4 {
				w.t.Errorf("got %+v", o)
			}
		}},
	}
}
