package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// TTL is the default time to live of sessions in scenarios.
const TTL = 3 * time.Second

// world is the fleet of a scenario.
type world struct {
	*elastictest.Cluster
	t    testing.TB
	jobs []string // in the order of the story

	specs map[string]elastic.Job
	stray map[string]bool // keys of no instance that the scenario has put into the store

	mu      sync.Mutex
	work    map[string]work // by job, and by job/shard
	skew    map[string]time.Duration
	numbers map[string][]uint64 // that were seen: the fences of each record, the triggers of each job; sorted
	// Instances that were paused or evicted; only fences can judge their runs.
	doubtful map[string]bool

	told   int // events that were printed
	begun  int // runs whose beginning was printed
	ending map[int]bool
}

// work configures a handler.
type work struct {
	takes time.Duration
	deaf  bool // to the end of its context
	ends  string
}

// Run runs a scenario in the synctest bubble of t and returns it with its
// outcome. It returns an error for a step that cannot be done, or an
// expectation that does not hold.
func Run(t testing.TB, f File) (File, error) {
	w := &world{
		Cluster:  elastictest.New(t, elastic.WithSessionTTL(TTL)),
		t:        t,
		specs:    map[string]elastic.Job{},
		stray:    map[string]bool{},
		work:     map[string]work{},
		skew:     map[string]time.Duration{},
		numbers:  map[string][]uint64{},
		doubtful: map[string]bool{},
		ending:   map[int]bool{},
	}
	w.Server().OnCommit(w.committed)
	told := File{Steps: slices.Clone(f.Steps), After: f.After}
	for i, s := range f.Steps {
		verb, ok := verbs[s.Verb]
		if !ok {
			return File{}, fmt.Errorf("line %d: no verb %q: there are %s", s.Line, s.Verb, known())
		}
		if err := verb.do(w, s); err != nil {
			return File{}, fmt.Errorf("line %d: %s: %w", s.Line, s.Text, err)
		}
		synctest.Wait()
		told.Steps[i].Output = w.report(verb.quiet)
	}
	return told, w.close()
}

// committed notes the fences of records and the numbers of triggers. Output
// shows their ranks, because the numbers contain the time.
func (w *world) committed(c memory.Commit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range c.Do {
		r, err := failover.Decode(op.Value)
		job, _, ok := layout.RunOf(op.Key)
		if err != nil || !ok {
			continue
		}
		w.note(op.Key, r.Fence)
		if r.Trigger != 0 {
			w.note(layout.SignalsKey(job), r.Trigger)
		}
	}
}

func (w *world) note(key string, number uint64) {
	if !slices.Contains(w.numbers[key], number) {
		w.numbers[key] = append(w.numbers[key], number)
		slices.Sort(w.numbers[key])
	}
}

func (w *world) rank(key string, number uint64) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Index(w.numbers[key], number) + 1
}

func (w *world) fence(job string, shard int, fence uint64) int {
	return w.rank(layout.RunKey(job, shard), fence)
}

func (w *world) trigger(job string, trigger uint64) int {
	return w.rank(layout.SignalsKey(job), trigger)
}

// handle is the handler of every job.
func (w *world) handle(ctx context.Context, run elastic.Run) error {
	k, ok := w.workOf(fmt.Sprintf("%s/%d", run.Job, run.Shard))
	if !ok {
		k, _ = w.workOf(run.Job)
	}
	if k.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	if err := elastictest.Work(ctx, k.takes); err != nil {
		return err
	}
	switch k.ends {
	case "fail":
		return errors.New("it did not work")
	case "panic":
		panic("it broke")
	case "crash":
		for _, r := range w.RunsOf(run.Job, run.Shard) {
			if r.Ended.IsZero() && r.Fence() == run.Fence() {
				go w.Crash(r.Instance)
			}
		}
		return elastictest.Work(ctx, time.Hour)
	}
	return nil
}

func (w *world) workOf(what string) (work, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.work[what]
	return k, ok
}

// clock is an instance's clock.
func (w *world) clock(name string) func() time.Time {
	return func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return time.Now().Add(w.skew[name])
	}
}

func (w *world) setSkew(name string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew[name] = d
}

// doubt notes an instance whose later runs only its fence can judge.
func (w *world) doubt(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doubtful[name] = true
}

func (w *world) isDoubtful(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.doubtful[name]
}

// id returns the ID of the latest session of an instance.
func (w *world) id(name string) (string, error) {
	if id := w.ID(name); id != "" {
		return id, nil
	}
	return "", fmt.Errorf("no instance %q has ever joined", name)
}

// admin changes the store as an operator does.
func (w *world) admin(ops ...store.Op) error {
	admin := w.Server().Connect("operator")
	defer admin.Close(context.Background())
	for i, op := range ops {
		if _, err := admin.Get(context.Background(), op.Key); err == nil && op.Kind == store.OpCreate {
			ops[i] = store.Set(op.Key, op.Value)
		}
	}
	_, err := admin.Commit(context.Background(), store.Txn{Do: ops})
	return err
}
