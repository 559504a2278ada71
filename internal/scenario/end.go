package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// close ends a scenario: all faults are repaired and all instances leave. Then
// the store must hold only the keys of a namespace at rest, and no two runs may
// have overlapped that must not.
func (w *world) close() error {
	w.mu.Lock()
	for what := range w.work {
		w.work[what] = work{}
	}
	w.mu.Unlock()
	for _, name := range w.Up() {
		w.Client(name).OnRequest(nil)
		w.Client(name).SlowWatches(0, 0)
		w.Heal(name)
		w.Resume(name)
	}
	for minutes := 0; ; minutes++ { // what runs may finish
		w.Advance(time.Minute)
		stuck := w.unfinished()
		if stuck == "" {
			break
		}
		if minutes == 30 {
			return fmt.Errorf("half an hour after the end all is mended, and yet: %s", stuck)
		}
	}
	var faults []error
	for _, name := range w.Up() {
		w.Leave(name)
	}
	w.Advance(2 * elastic.DefaultDrain)
	for _, e := range w.Server().Dump() {
		if fault := w.residue(e.Key, e.Value); fault != "" {
			faults = append(faults, errors.New("at rest the store holds "+fault))
		}
	}
	return errors.Join(append(faults, w.overlaps()...)...)
}

// unfinished names a run that will never end: its handler has returned, or its
// instance is gone.
func (w *world) unfinished() string {
	if len(w.Up()) == 0 {
		return ""
	}
	return w.InProgress()
}

// residue returns what is wrong with a key that exists when no instance does.
func (w *world) residue(key string, value []byte) string {
	prefix, rest, _ := strings.Cut(key, "/")
	switch prefix {
	case layout.Jobs, layout.Assignments, layout.Signals, layout.Revisions, layout.JobSets:
		return ""
	case "runs":
		job, _, _ := strings.Cut(rest, "/")
		shard, err := layout.ShardOf(key)
		if r, err2 := failover.Decode(value); err != nil || err2 != nil || shard < len(w.Owners(job)) &&
			r.State == failover.StateIdle {
			return "" // what can't be read was put there by the story
		}
	}
	if w.stray[key] {
		return ""
	}
	return fmt.Sprintf("%s = %s", key, value)
}

// overlaps finds overlapping runs of one shard, fires that began twice, and
// fences that did not grow. Runs of an instance that was paused, or evicted,
// are judged by their fence alone.
func (w *world) overlaps() []error {
	last := map[string]elastictest.Run{}
	first := map[string]bool{}
	var faults []error
	for _, r := range w.AllRuns() {
		what := fmt.Sprintf("%s/%d", r.Job, r.Shard)
		if p, ok := last[what]; ok {
			if r.Fence() <= p.Fence() {
				faults = append(faults, fmt.Errorf("the fence did not grow:\n  %s\n  %s", p, r))
			}
			beside := (p.Ended.IsZero() || r.Began.Before(p.Ended)) && (p.Told.IsZero() || r.Began.Before(p.Told))
			if beside && !w.isDoubtful(p.Instance) {
				faults = append(faults, fmt.Errorf("two runs beside each other:\n  %s\n  %s", p, r))
			}
		}
		last[what] = r
		if key := r.Key(); r.Attempt == 1 {
			if first[key] {
				faults = append(faults, fmt.Errorf("a fire began twice: %s", r))
			}
			first[key] = true
		}
	}
	return faults
}
