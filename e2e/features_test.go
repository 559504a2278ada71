package e2e

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/sharding"
)

// Three instances share a job file that uses every setting. One is killed in
// the middle and started again, one leaves and comes back, one has its
// exclusive name taken by another process, and the jobs are changed while they
// run. The file store has one process, which is all three, and so can only be
// killed.
//
// Nothing here is about speed: the test waits until each event has been seen,
// and then checks the rules. So sessions live for a minute, which survives on a
// busy machine, and exclusive names save the test from waiting for the end of
// one.
func TestFeatures_HoldOnEveryStore(t *testing.T) {
	t.Parallel()
	for _, on := range append(slices.Clone(kinds), files) {
		if on.name == "zookeeper" {
			on.start = func(t *testing.T) server { return testservers.StartZooKeeper(t, "maxSessionTimeout=60000") }
		}
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			everythingThatAJobCanBeToldHolds(t, on)
		})
	}
}

func everythingThatAJobCanBeToldHolds(t *testing.T, on kind) {
	f := newFeatures(t, on)
	a := f.join("a")
	f.awaitRun("static has an owner", func(x *execution) bool { return x.Job == "static" })
	b := a
	if f.shared() {
		b = f.join("b")
		f.takeName(f.join("c"))
	}
	f.awaitSpread()
	if f.shared() {
		f.trigger(asked{shards: []int{1, 2}, parameter: "2026-01"})
		f.awaitTriggers()
	}

	cut := f.killIn(a, "long")
	if !f.shared() {
		f.trigger(asked{shards: []int{1, 2}, parameter: "2026-01"})
	}
	f.trigger(asked{})
	a = f.join("a")
	f.awaitRun("what was cut off to be repeated", func(x *execution) bool {
		return x.Job == cut.Job && x.Shard == cut.Shard && x.Fire.Equal(cut.Fire) &&
			x.Attempt == cut.Attempt+1 && x.PID != cut.PID
	})
	f.awaitTriggers()
	if f.shared() {
		b.Ask()
		b.Gone()
		f.since = time.Now()
		f.awaitRun("a broadcast to the two that are left", func(x *execution) bool {
			return x.after("broadcast", f.since) && x.Total == 2
		})
		b = f.join("b")
	} else {
		b = a
	}
	f.awaitSpread()

	f.change(b)
	for _, s := range sights {
		f.await("that "+s.what, func(all []*execution) bool { return s.seen(f, all) })
	}
	f.finish()
}

//go:embed testdata/features.yaml
var featureJobs string

// later are the jobs as they are to become.
func later() string {
	return regexp.MustCompile(`(?m)^( +)\S.* # later: (.*)$`).ReplaceAllString(featureJobs, "$1$2")
}

// most is how many shards the instance c may run at a time.
const most = 8

// member is an instance as a job sees it.
type member struct {
	zone   string
	weight int
}

// features is a fleet whose jobs use every setting.
type features struct {
	*fleet
	jobs    string            // the file of jobs
	common  []string          // arguments of every worker
	members map[string]member // the instances that share the jobs when all are there

	asked   map[uint64]asked // by the trigger's number
	since   time.Time        // the last time at which something was done to a process
	killed  time.Time
	changed time.Time // when the jobs were
}

// asked is the content of a trigger.
type asked struct {
	shards    []int  // none: all
	parameter string // empty: each shard's own
}

func newFeatures(t *testing.T, on kind) *features {
	t.Helper()
	f := &features{
		fleet: newFleet(t, settings{schedule: "@daily", ttl: time.Minute, on: on}),
		asked: map[uint64]asked{},
	}
	f.jobs = filepath.Join(f.Dir, "features.yaml")
	f.writeJobs(featureJobs)
	f.common = []string{
		"-jobs",
		f.jobs,
		"-act",
		"-work",
		"0s",
		"-ttl",
		f.settings.ttl.String(),
		"-drain",
		patience.String(),
		"-out",
		f.Journal,
		"-log-level",
		"debug",
	}
	f.members = map[string]member{"a": {"eu", 2}, "b": {"eu", 1}, "c": {"us", 1}}
	if !f.shared() {
		f.members = map[string]member{"a-1": {"eu", 1}, "a-2": {"eu", 1}, "a-3": {"eu", 1}}
	}
	return f
}

// shared reports whether several processes can use the store.
func (f *features) shared() bool { return f.server != nil }

// writeJobs puts jobs into their file, at once.
func (f *features) writeJobs(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.jobs+".new", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.jobs+".new", f.jobs); err != nil {
		f.t.Fatal(err)
	}
}

// join starts a process of that name: an instance, or all of them.
func (f *features) join(name string) *worker.Process {
	f.t.Helper()
	args := []string{"-schedulers", fmt.Sprint(len(f.members)), "-labels", "zone=eu"}
	if m, ok := f.members[name]; ok {
		args = []string{"-labels", "zone=" + m.zone, "-weight", fmt.Sprint(m.weight)}
	}
	if name != "b" {
		args = append(args, "-exclusive")
	}
	if name == "c" {
		args = append(args, "-max-concurrent", fmt.Sprint(most))
	}
	f.args = slices.Concat(f.common, args)
	f.since = time.Now()
	return f.start(name)
}

// await waits until a condition holds for the runs.
func (f *features) await(what string, ok func(all []*execution) bool) {
	f.t.Helper()
	for deadline := time.Now().Add(long); ; time.Sleep(100 * time.Millisecond) {
		all := executions(f.t, f.Journal)
		if ok(all) {
			return
		}
		f.NoneDied()
		if time.Now().After(deadline) {
			for _, x := range all[max(0, len(all)-300):] {
				f.t.Log(x)
			}
			f.t.Fatalf("waited %v in vain for %s", long, what)
		}
	}
}

// awaitRun waits for a run.
func (f *features) awaitRun(what string, wanted func(x *execution) bool) (found *execution) {
	f.t.Helper()
	f.await(what, func(all []*execution) bool {
		i := slices.IndexFunc(all, wanted)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// awaitSpread waits until all instances share the jobs as each strategy has it:
// by runs for one fire after what was last done to a process.
func (f *features) awaitSpread() {
	f.t.Helper()
	var live []sharding.Instance
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		live = append(live, sharding.Instance{ID: name, Weight: f.members[name].weight})
	}
	for _, name := range []string{"average", "odevity", "rotate"} {
		strategy, err := sharding.ByName(name)
		if err != nil {
			f.t.Fatal(err)
		}
		want := strategy.Assign(name, 4, live, nil)
		f.awaitFire("the shards of "+name+" on "+fmt.Sprint(want), name, func(on map[int]string) bool {
			return len(on) == 4 && on[0] == want[0] && on[1] == want[1] && on[2] == want[2] && on[3] == want[3]
		})
	}
	f.awaitFire("a share of sticky for each, by its weight", "sticky", func(on map[int]string) bool {
		shares, total := map[string]int{}, 0
		for _, name := range on {
			shares[name]++
		}
		for name, m := range f.members {
			total += m.weight
			if shares[name] == 0 {
				return false
			}
		}
		for name, m := range f.members {
			if exact := 8 * m.weight / total; len(on) != 8 || shares[name] < exact || shares[name] > exact+1 {
				return false
			}
		}
		return true
	})
	f.awaitFire("a broadcast to each", "broadcast", func(on map[int]string) bool {
		return slices.Equal(slices.Sorted(maps.Values(on)), slices.Sorted(maps.Keys(f.members)))
	})
}

// awaitFire waits for a fire of a job, after what was last done to a process,
// whose shards ran on instances that are as wanted.
func (f *features) awaitFire(what, job string, wanted func(on map[int]string) bool) {
	f.t.Helper()
	f.await(what, func(all []*execution) bool {
		fires := map[time.Time]map[int]string{}
		for _, x := range all {
			if x.Job == job && x.Fire.After(f.since) && x.Attempt == 1 {
				if fires[x.Fire] == nil {
					fires[x.Fire] = map[int]string{}
				}
				fires[x.Fire][x.Shard] = x.Instance
			}
		}
		return slices.ContainsFunc(slices.Collect(maps.Values(fires)), wanted)
	})
}

// takeName starts a process under the exclusive name of another, which must end
// with the reason.
func (f *features) takeName(first *worker.Process) {
	f.t.Helper()
	f.awaitRun(fmt.Sprintf("a run of %s", first), func(x *execution) bool { return x.PID == first.PID() })
	// From the moment its place is taken until it knows, it is like a paused
	// process: only its fences limit it.
	f.Act(time.Now(), checker.Stop, first)
	first.MayEnd()
	second := f.join(first.Name)
	select {
	case <-first.Ended():
	case <-time.After(long):
		f.t.Fatalf("%s has not ended, though %s has its exclusive name", first, second)
	}
	f.Act(time.Now(), checker.Exit, first)
	if code := first.ExitCode(); code != 1 || !strings.Contains(first.Tail(), elastic.ErrNameTaken.Error()) {
		f.t.Errorf(
			"the first process under an exclusive name ended with %d and said\n%s\nwant 1 and that its name was taken",
			code,
			first.Tail(),
		)
	}
	f.awaitRun(fmt.Sprintf("a run of %s", second), func(x *execution) bool { return x.PID == second.PID() })
}

// killIn kills a process in the middle of a run of a job, and returns the run.
func (f *features) killIn(w *worker.Process, job string) *execution {
	f.t.Helper()
	fits := func(x *execution) bool { return x.Job == job && x.PID == w.PID() && !x.done() }
	f.awaitRun(fmt.Sprintf("a run of %s on %s", job, w), func(x *execution) bool {
		return fits(x) && time.Since(x.Time) < 2*time.Second
	})
	w.Kill()
	f.killed, f.since = time.Now(), time.Now()
	all := executions(f.t, f.Journal)
	i := slices.IndexFunc(all, fits)
	if i < 0 {
		f.t.Fatalf("%s had ended its runs of %s before it was killed: nothing is shown", w, job)
	}
	return all[i]
}

// trigger asks for a run of the job by-hand.
func (f *features) trigger(of asked) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	operator, err := elastic.Open(ctx, f.URL, elastic.WithName("operator"))
	if err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- operator.Run(ctx) }()
	options := []elastic.TriggerOption{
		elastic.OnShards(of.shards...), elastic.WithParameter(of.parameter), elastic.Force(),
	}
	n, err := operator.Trigger(ctx, "by-hand", options...)
	for err != nil && strings.Contains(err.Error(), "does not run") { // Run has not begun yet
		n, err = operator.Trigger(ctx, "by-hand", options...)
	}
	if err := cmp.Or(err, operator.Close(), <-ended); err != nil {
		f.t.Fatal(err)
	}
	f.asked[n] = of
}

// awaitTriggers waits until every trigger so far has been run.
func (f *features) awaitTriggers() {
	f.t.Helper()
	f.await("all triggers to have run", func(all []*execution) bool { return triggersRan(f, all) })
}

// change has a process read the jobs again, after they have changed.
func (f *features) change(w *worker.Process) {
	f.t.Helper()
	f.writeJobs(later())
	f.changed = time.Now()
	w.Signal(syscall.SIGHUP)
}

// finish drains all processes, and checks the rules.
func (f *features) finish() {
	f.t.Helper()
	f.LeaveAll()
	all := executions(f.t, f.Journal)
	h := f.History()
	h.Lines = lines(all)
	h.Final = f.Content("")
	h.Bound = long
	h.End = time.Now()
	f.Keep(h, false)
	for _, v := range h.Check() {
		if known(v) {
			f.t.Errorf("%s\nthe life of it:\n%s", v, h.Life(v.Job, v.Shard))
		}
	}
	for _, r := range rules {
		for _, fault := range r.broken(f, all) {
			f.t.Errorf("%s: %s", r.what, fault)
		}
	}
	for _, r := range rules {
		if len(r.broken(f, r.doctor(f, copies(all)))) == 0 {
			f.t.Errorf("%s: a history that is doctored breaks nothing", r.what)
		}
	}
	for _, e := range h.Final {
		if strings.HasPrefix(e.Key, "runs/unclaimed/") || strings.HasPrefix(e.Key, "runs/lunar/") {
			f.t.Errorf("the store holds %s", e.Key)
		}
	}
	f.t.Logf("%d runs of %d jobs", len(all), strings.Count(featureJobs, "name: "))
}
