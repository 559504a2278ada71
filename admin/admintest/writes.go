package admintest

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
)

// budgets are the greatest costs of acts: reads and commits.
var budgets = map[string]struct{ reads, commits int64 }{
	"apply":          {5, 1},
	"disable":        {4, 1},
	"disable-shards": {4, 1},
	"remove":         {11, 1},
	"trigger":        {4, 1},
	"cordon":         {3, 1},
	"drain":          {3, 1},
	"pause":          {3, 1},
}

// writeCases are about every act in the same way.
func writeCases() []testCase {
	var all []testCase
	for _, name := range slices.Sorted(maps.Keys(acts())) {
		do := acts()[name]
		all = append(all,
			testCase{"write/" + name + " has a receipt", func(w *World) {
				w.apply(report())
				r, err := do(w, admin.Why("because"))
				w.ok(err)
				entry := w.audit()[0]
				right := r.Applied && r.Differs && r.ID != "" && entry.ID == r.ID && entry.Act == name
				right = right && entry.By == "li" && entry.Why == "because" && entry.Target == r.Target
				if !right || entry.Rev != r.Rev || entry.Number != r.Number {
					w.t.Errorf("receipt %+v\nentry %+v", r, entry)
				}
			}},
			testCase{"write/" + name + " keeps its budget", func(w *World) {
				if w.Counts == nil {
					w.t.Skip("the requests of this API can't be counted")
				}
				w.apply(report())
				before := w.Counts()
				_, err := do(w)
				w.ok(err)
				spent := w.Counts().Sub(before)
				if b := budgets[name]; spent.Reads() > b.reads || spent.Commits != b.commits {
					w.t.Errorf(
						"it sent %d reads and %d commits, want %d and %d",
						spent.Reads(),
						spent.Commits,
						b.reads,
						b.commits,
					)
				}
			}},
			testCase{"write/" + name + " dry writes nothing", func(w *World) {
				w.apply(report())
				var commits int64
				if w.Counts != nil {
					commits = w.Counts().Commits
				}
				r, err := do(w, admin.DryRun())
				w.ok(err)
				if r.Applied || !r.Differs || r.ID != "" || len(r.Changes) == 0 || len(w.audit()) != 1 {
					w.t.Errorf("got %+v", r)
				}
				if w.Counts != nil && w.Counts().Commits != commits {
					w.t.Error("it sent a commit")
				}
			}},
			testCase{"write/" + name + " is done once an op", func(w *World) {
				w.apply(report())
				op := admin.NewOp()
				first, err := do(w, admin.Op(op))
				w.ok(err)
				again, err := do(w, admin.Op(op))
				w.ok(err)
				if !first.Applied || again.Applied || !again.Earlier || again.ID != op || again.Rev != first.Rev ||
					again.Number != first.Number || len(w.audit()) != 2 {
					w.t.Errorf("first %+v\nagain %+v", first, again)
				}
			}},
			testCase{"write/" + name + " at once is done once an op", func(w *World) {
				w.apply(report())
				op := admin.NewOp()
				var wg sync.WaitGroup
				var mu sync.Mutex
				applied := 0
				for range 4 {
					wg.Go(func() {
						r, err := do(w, admin.Op(op))
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							w.t.Error(err)
						}
						if r.Applied {
							applied++
						}
					})
				}
				wg.Wait()
				if applied != 1 || len(w.audit()) != 2 {
					w.t.Errorf("%d calls applied it, and there are %d entries; want 1 and 2", applied, len(w.audit()))
				}
			}},
		)
	}
	return append(all,
		testCase{"write/a revision that is right", func(w *World) {
			r := w.apply(report())
			_, err := w.API.Disable(w.ctx(), "report", admin.IfRevision(r.Rev))
			w.ok(err)
		}},
		testCase{"write/a revision that is wrong", func(w *World) {
			w.apply(report())
			_, err := w.API.Disable(w.ctx(), "report", admin.IfRevision(7))
			w.wantError(err, admin.ErrChanged)
			var changed *admin.ChangedError
			if !errors.As(err, &changed) || changed.Rev != 1 || changed.By.By != "li" {
				w.t.Errorf("got %v, want who changed it", err)
			}
			_, err = w.API.Apply(w.ctx(), elastic.Job{Name: "new", Schedule: "@daily"}, admin.IfRevision(1))
			w.wantError(err, admin.ErrChanged)
		}},
		testCase{"write/many at once lose nothing", func(w *World) {
			job := report()
			job.Shards = 8
			w.apply(job)
			var wg sync.WaitGroup
			for shard := range 3 {
				wg.Go(func() {
					if _, err := w.API.DisableShards(w.ctx(), "report", []int{shard}); err != nil {
						w.t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := w.config("report").DisabledShards; !slices.Equal(got, []int{0, 1, 2}) {
				w.t.Errorf("got %v, want what each of them asked for", got)
			}
		}},
		testCase{"write/apply at once is never lost unseen", func(w *World) {
			w.apply(report())
			var wg sync.WaitGroup
			results := make([]error, 4)
			for i := range results {
				wg.Go(func() {
					job := report()
					job.Shards = 10 + i
					_, results[i] = w.API.Apply(w.ctx(), job, admin.IfRevision(1))
				})
			}
			wg.Wait()
			done := 0
			for i, err := range results {
				switch {
				case err == nil:
					done++
					if got := w.config("report").Shards; got != 10+i {
						w.t.Errorf("%d shards, want %d", got, 10+i)
					}
				case !errors.Is(err, admin.ErrChanged):
					w.t.Errorf("got %v, want ErrChanged", err)
				}
			}
			if done != 1 {
				w.t.Errorf("%d of them replaced the revision 1, want 1", done)
			}
		}},
	)
}
