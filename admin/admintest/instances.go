package admintest

import (
	"strings"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
)

// id returns the ID of the one live instance.
func (w *World) id() string {
	w.t.Helper()
	all, err := w.API.Instances(w.ctx())
	w.ok(err)
	if len(all) != 1 {
		w.t.Fatalf("%d instances live, want 1", len(all))
	}
	return all[0].ID
}

// instanceCases are about instances.
func instanceCases() []testCase {
	return []testCase{
		{"instance/list and detail", func(w *World) {
			w.start("web-1", nothing, report())
			w.until("it owns its shards", func() bool {
				d, err := w.API.Job(w.ctx(), "report")
				return err == nil && d.Owners == 1
			})
			d, err := w.API.Instance(w.ctx(), w.id())
			w.ok(err)
			if d.Name != "web-1" || d.State != status.InstanceUp || d.Owned != 3 || len(d.Shards) != 3 {
				w.t.Errorf("got %+v", d)
			}
		}},
		{"instance/cordon and uncordon", func(w *World) {
			_, err := w.API.Cordon(w.ctx(), "web-1", admin.Why("disk"))
			w.ok(err)
			all, err := w.API.Cordons(w.ctx())
			w.ok(err)
			if len(all) != 1 || all[0].Target != "web-1" || all[0].Action != "cordon" ||
				all[0].Changed.Why != "disk" {
				w.t.Errorf("got %+v", all)
			}
			_, err = w.API.Uncordon(w.ctx(), "web-1")
			w.ok(err)
			if all, err = w.API.Cordons(w.ctx()); err != nil || len(all) != 0 {
				w.t.Errorf("got %+v, %v", all, err)
			}
		}},
		{"instance/cordon twice writes once", func(w *World) {
			_, err := w.API.Cordon(w.ctx(), "web-1")
			w.ok(err)
			r, err := w.API.Cordon(w.ctx(), "web-1")
			w.ok(err)
			if r.Applied || r.Differs {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"instance/drain after cordon", func(w *World) {
			_, err := w.API.Cordon(w.ctx(), "host:h1")
			w.ok(err)
			r, err := w.API.Drain(w.ctx(), "host:h1")
			w.ok(err)
			all, err := w.API.Cordons(w.ctx())
			w.ok(err)
			if !r.Applied || len(all) != 1 || all[0].Action != "drain" || all[0].Target != "host:h1" {
				w.t.Errorf("got %+v and %+v", r, all)
			}
		}},
		{"instance/uncordon of nothing", func(w *World) {
			r, err := w.API.Uncordon(w.ctx(), "web-1")
			w.ok(err)
			if r.Applied || r.Differs {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"instance/a cordon of a name and of a host", func(w *World) {
			_, err := w.API.Cordon(w.ctx(), "h1")
			w.ok(err)
			_, err = w.API.Cordon(w.ctx(), "host:h1")
			w.wantError(err, admin.ErrRefused)
		}},
		{"instance/warns of a cordon for none", func(w *World) {
			r, err := w.API.Cordon(w.ctx(), "web-1")
			w.ok(err)
			if len(r.Warnings) != 1 {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"instance/leave of one that lives", func(w *World) {
			w.start("web-1", nothing, report())
			r, err := w.API.Leave(w.ctx(), w.id())
			w.ok(err)
			if !r.Applied || !strings.HasPrefix(r.Target, "web-1@") {
				w.t.Errorf("got %+v", r)
			}
		}},
		{"instance/evict refuses one that lives", func(w *World) {
			w.start("web-1", nothing, report())
			_, err := w.API.Evict(w.ctx(), w.id())
			w.wantError(err, admin.ErrRefused)
		}},
		{"instance/evict with force", func(w *World) {
			w.start("web-1", nothing, report())
			before := w.id()
			r, err := w.API.Evict(w.ctx(), before, admin.Force())
			w.ok(err)
			if !r.Applied || len(r.Consequences) == 0 {
				w.t.Errorf("got %+v", r)
			}
			w.until("it has joined again under a new ID", func() bool {
				all, err := w.API.Instances(w.ctx())
				return err == nil && len(all) == 1 && all[0].ID != before
			})
		}},
	}
}
