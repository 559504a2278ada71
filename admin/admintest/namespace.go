package admintest

import (
	"strings"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// found returns the findings of a code.
func (w *World) found(code string) []admin.Finding {
	w.t.Helper()
	r, err := w.API.Doctor(w.ctx(), admin.DoctorQuery{Write: true})
	w.ok(err)
	var all []admin.Finding
	for _, f := range r.Findings {
		if f.Code == code {
			all = append(all, f)
		}
	}
	if len(all) == 0 && code != "" {
		w.t.Logf("findings: %+v", r.Findings)
	}
	return all
}

// namespaceCases are about the namespace as a whole.
func namespaceCases() []testCase {
	return []testCase{
		{"namespace/pause and resume", func(w *World) {
			_, err := w.API.Pause(w.ctx(), admin.Why("move"))
			w.ok(err)
			all, err := w.API.Cordons(w.ctx())
			w.ok(err)
			if len(all) != 1 || all[0].Action != "pause" || all[0].Changed.By != "li" {
				w.t.Errorf("got %+v", all)
			}
			if len(w.found("paused")) != 1 {
				w.t.Error("the doctor does not tell of the pause")
			}
			_, err = w.API.Resume(w.ctx())
			w.ok(err)
			if all, err = w.API.Cordons(w.ctx()); err != nil || len(all) != 0 {
				w.t.Errorf("got %+v, %v", all, err)
			}
		}},
		{"doctor/a healthy fleet", func(w *World) {
			w.start("web-1", nothing, report())
			w.until("it owns its shards", func() bool {
				d, err := w.API.Job(w.ctx(), "report")
				return err == nil && d.Owners == 1
			})
			r, err := w.API.Doctor(w.ctx(), admin.DoctorQuery{Write: true})
			w.ok(err)
			for _, f := range r.Findings {
				if f.Level != admin.LevelOK {
					w.t.Errorf("found %+v", f)
				}
			}
			if len(w.found("writable")) != 1 || r.Records != 3 || r.Errors() != 0 {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"doctor/a job without an instance", func(w *World) {
			w.apply(report())
			if all := w.found("unowned"); len(all) == 0 || all[0].Level != admin.LevelError {
				w.t.Errorf("got %+v", all)
			}
		}},
		{"doctor/a trigger that is not there is none", func(w *World) {
			w.apply(report())
			if all := w.found("trigger_waits"); len(all) != 0 {
				w.t.Errorf("got %+v", all)
			}
		}},
		{"doctor/garbage", func(w *World) {
			w.put("jobs/bad", "{")
			w.put("audit/bad", "{")
			w.put("cordons/bad", "{")
			if all := w.found("unreadable"); len(all) != 2 {
				w.t.Errorf("got %+v", all)
			}
			if all := w.found("foreign_key"); len(all) != 1 {
				w.t.Errorf("got %+v", all)
			}
		}},
		{"doctor/leaves nothing behind", func(w *World) {
			w.found("")
			s := w.Open(w.t)
			entries, err := s.List(w.ctx(), "")
			w.ok(err)
			if len(entries) != 0 {
				w.t.Errorf("it left %d keys", len(entries))
			}
		}},
		{"repair/a job", func(w *World) {
			w.put("jobs/report", `{"v":2,"garbage":true}`)
			r, err := w.API.Repair(w.ctx(), "jobs/report")
			w.ok(err)
			d, err := w.API.Job(w.ctx(), "report")
			w.ok(err)
			if !r.Applied || d.State != status.JobRemoved {
				w.t.Errorf("got %+v and %+v", r, d)
			}
			w.apply(report()) // and so it can be had again
			if got := w.config("report"); got.Shards != 3 {
				w.t.Errorf("got %+v", got)
			}
		}},
		{"repair/saves the value", func(w *World) {
			w.put("cordons/web-1", "{nonsense")
			_, err := w.API.Repair(w.ctx(), "cordons/web-1")
			w.ok(err)
			s := w.Open(w.t)
			if _, err := s.Get(w.ctx(), "cordons/web-1"); err == nil {
				w.t.Error("the key is still there")
			}
			entries, err := s.List(w.ctx(), "audit")
			w.ok(err)
			if len(entries) != 1 || !strings.Contains(string(entries[0].Value), "{nonsense") {
				w.t.Errorf("got %v, want the value", entries)
			}
		}},
		{"repair/refuses a newer version", func(w *World) {
			w.put("jobs/report", `{"v":9}`)
			_, err := w.API.Repair(w.ctx(), "jobs/report")
			w.wantError(err, admin.ErrRefused)
		}},
		{"repair/refuses what can't be saved", func(w *World) {
			w.put("jobs/report", strings.Repeat("x", 9<<10))
			_, err := w.API.Repair(w.ctx(), "jobs/report")
			w.wantError(err, store.ErrTooLarge)
		}},
		{"repair/refuses a record of an enabled job", func(w *World) {
			w.apply(report())
			w.put("runs/report/0", "{")
			_, err := w.API.Repair(w.ctx(), "runs/report/0")
			w.wantError(err, admin.ErrRefused)
			_, err = w.API.Disable(w.ctx(), "report")
			w.ok(err)
			_, err = w.API.Repair(w.ctx(), "runs/report/0")
			w.ok(err)
		}},
		{"repair/refuses a record that names a live instance", func(w *World) {
			job := elastic.Job{Name: "off", Schedule: "@daily", Disabled: true}
			w.start("web-1", nothing, job)
			w.until("it is in the store", func() bool { _, err := w.API.Job(w.ctx(), "off"); return err == nil })
			w.put("runs/off/0", `{"owner":"`+w.id()+`"`)
			_, err := w.API.Repair(w.ctx(), "runs/off/0")
			w.wantError(err, admin.ErrRefused)
		}},
	}
}
