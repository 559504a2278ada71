package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// plain are the jobs of which each fire must run, whatever happens.
var plain = []string{"sticky", "average", "odevity", "rotate", "single", "static", "misfire-all", "retries", "long"}

// known reports whether a breach concerns only what the checker knows. The
// checker follows schedules and takes triggers of one second for one. It does
// not know that the shards of a broadcast, and their fences, come and go: the
// next instance removes those of the instances that left last.
func known(v checker.Violation) bool {
	switch v.Invariant {
	case 1:
		return v.Job != "broadcast"
	case 2:
		return v.Job != "by-hand"
	case 3:
		return true
	case 8:
		return v.Job != layout.AssignmentKey("broadcast")
	}
	return slices.Contains(plain, v.Job)
}

// sights are the events that must be seen before the fleet is drained.
var sights = []struct {
	what string
	seen func(f *features, all []*execution) bool
}{
	{"a job of one shard goes round the instances", func(f *features, all []*execution) bool {
		return len(instances(all, "single")) == len(f.members)
	}},
	{"a job that requires a label runs", ran("european", func(x *execution) bool { return true })},
	{"a run is slow, and a later one follows it", func(f *features, all []*execution) bool {
		return !slices.ContainsFunc([]string{
			"misfire-once", "misfire-skip", "misfire-all", "overlap-skip",
		}, func(job string) bool {
			_, next := slow(all, job)
			return !slices.ContainsFunc(slices.Collect(maps.Keys(next)), (*execution).ok)
		})
	}},
	{"a run is replaced by a later one", func(f *features, all []*execution) bool {
		_, next := slow(all, "overlap-replace")
		return slices.ContainsFunc(slices.Collect(maps.Keys(next)), func(x *execution) bool {
			return x.Outcome == elastic.ErrReplaced.Error()
		})
	}},
	{"a run ends because of its timeout", ran("timeout", func(x *execution) bool {
		return x.Outcome == elastic.ErrTimeout.Error()
	})},
	{"a run succeeds at its third call", ran("retries", func(x *execution) bool { return x.ok() && x.Calls == 3 })},
	{"a run that asks to be called again is", ran("again", func(x *execution) bool { return x.ok() && x.Calls == 3 })},
	{"a run fails for good", ran("hopeless", func(x *execution) bool { return x.done() && !x.ok() })},
	{"a run is skipped", ran("idle", func(x *execution) bool { return strings.HasPrefix(x.Outcome, "skipped: ") })},
	{"a job runs shard by shard", ran("one-at-a-time", func(x *execution) bool { return x.Shard == 5 && x.ok() })},
	{"all triggers have run", triggersRan},
	{"a job follows those that succeeded", ran("after-retries", (*execution).ok)},
	{"a job follows those that ended", ran("after-hopeless-ended", (*execution).ok)},
	{"a job follows those that had nothing to do", ran("after-idle", (*execution).ok)},
	{"a job without claims runs", ran("unclaimed", func(x *execution) bool { return x.Shard == 2 && x.ok() })},

	{"a job that has grown runs all shards, with the new total", func(f *features, all []*execution) bool {
		shards := map[int]bool{}
		for _, x := range all {
			if x.Job == "growing" && x.Total == 4 {
				shards[x.Shard] = true
			}
		}
		return len(shards) == 4
	}},
	{"a job has its new schedule", ran("even-then-odd", func(x *execution) bool {
		return x.Fire.Second()%2 == 1 && x.Shard == 1
	})},
	{"a job that was enabled runs", ran("starting", func(x *execution) bool { return true })},
	{"a shard that was enabled runs", ran("one-shard-off", func(x *execution) bool { return x.Shard == 1 })},
	{"a job that was disabled has stopped", func(f *features, all []*execution) bool {
		last := map[string]time.Time{}
		for _, x := range all {
			last[x.Job] = x.Fire
		}
		return last["starting"].Sub(last["stopping"]) > 5*time.Second
	}},
}

// rules are the promises that must never break. Each comes with a run that
// breaks it, so that a rule that checks nothing is noticed.
var rules = []struct {
	what   string
	broken func(f *features, all []*execution) []string
	doctor func(f *features, all []*execution) []*execution
}{
	{"a job that requires a label runs where it is", each(func(f *features, x *execution) bool {
		return x.Job != "european" || f.members[x.Instance].zone == "eu"
	}), one("european", func(_ *features, x *execution) { x.Instance = "elsewhere" })},
	{"a job that requires a label of no instance does not run", each(func(f *features, x *execution) bool {
		return x.Job != "lunar"
	}),
		one("sticky", func(_ *features, x *execution) { x.Job = "lunar" })},
	{"static sharding moves nothing that has a live owner", func(f *features, all []*execution) (broken []string) {
		owner := map[int]string{}
		for _, x := range all {
			if x.Job != "static" || x.Fire.After(f.killed) {
				continue
			}
			if o := owner[x.Shard]; o != "" && o != x.Instance {
				broken = append(broken, fmt.Sprintf("it was on %s: %s", o, tell(x)))
			}
			owner[x.Shard] = x.Instance
		}
		return broken
	}, one("static", func(f *features, x *execution) { x.Instance, x.Fire = "elsewhere", f.killed })},
	{"of fires that were missed the latest runs for all", func(f *features, all []*execution) (broken []string) {
		return between(all, "misfire-once", func(fire, end time.Time) bool {
			return fire.Before(end.Truncate(time.Second))
		})
	}, missed("misfire-once")},
	{"fires that are older than their window are not run", func(f *features, all []*execution) (broken []string) {
		return between(all, "misfire-skip", func(fire, end time.Time) bool { return end.Sub(fire) > time.Second })
	}, missed("misfire-skip")},
	{"a fire that comes while the shard runs is not run", func(f *features, all []*execution) (broken []string) {
		return between(all, "overlap-skip", func(fire, end time.Time) bool { return !fire.After(end) })
	}, missed("overlap-skip")},
	{"a later fire replaces a run, unless the shard has moved", func(f *features, all []*execution) (broken []string) {
		_, next := slow(all, "overlap-replace")
		for x, n := range next {
			if n.PID == x.PID && n.Instance == x.Instance && x.Outcome != elastic.ErrReplaced.Error() {
				broken = append(broken, tell(x))
			}
		}
		return broken
	}, func(_ *features, all []*execution) []*execution {
		_, next := slow(all, "overlap-replace")
		for x, n := range next {
			x.Outcome = "ok"
			n.PID = x.PID
			n.Instance = x.Instance
		}
		return all
	}},
	{"no run is longer than its timeout allows", each(func(f *features, x *execution) bool {
		return x.Job != "timeout" || !x.done() || x.Outcome == elastic.ErrTimeout.Error() ||
			strings.HasPrefix(x.Outcome, "unfinished")
	}), one("timeout", func(_ *features, x *execution) { x.Outcome = "ok" })},
	{"what fails twice succeeds at the third call", each(func(f *features, x *execution) bool {
		return x.Job != "retries" && x.Job != "again" || !x.ok() || x.Calls == 3
	}), one("again", func(_ *features, x *execution) { x.Calls = 1 })},
	{"what fails for good is not called again", each(func(f *features, x *execution) bool {
		return x.Job != "hopeless" || x.Calls == 1
	}),
		one("hopeless", func(_ *features, x *execution) { x.Calls = 2 })},
	{"an instance runs no more shards of a job than the job allows", func(f *features, all []*execution) []string {
		return crowded(all, 1, func(x *execution) string {
			if x.Job != "one-at-a-time" {
				return ""
			}
			return x.Instance
		})
	}, one("one-at-a-time", func(_ *features, x *execution) { x.Time = x.Time.Add(time.Millisecond) })},
	{"an instance runs no more shards than it may", func(f *features, all []*execution) []string {
		return crowded(all, most, func(x *execution) string {
			if x.Instance != "c" {
				return ""
			}
			return fmt.Sprint(x.PID)
		})
	}, func(f *features, all []*execution) []*execution {
		for range most + 1 {
			all = one("long", func(_ *features, x *execution) { x.Instance = "c" })(f, all)
		}
		return all
	}},
	{"a trigger runs once on each of its shards", func(f *features, all []*execution) (broken []string) {
		own := []string{"north", "east", "south", "west"}
		began := map[string]bool{}
		for _, x := range all {
			if x.Job != "by-hand" {
				continue
			}
			of, known := f.asked[x.Trigger]
			want := of.parameter
			if want == "" {
				want = own[x.Shard]
			}
			key := fmt.Sprint(x.Trigger, x.Shard, x.Attempt)
			if !known || len(of.shards) > 0 && !slices.Contains(of.shards, x.Shard) || x.Parameter != want ||
				began[key] {
				broken = append(broken, fmt.Sprintf("trigger %d with %q: %s", x.Trigger, x.Parameter, tell(x)))
			}
			began[key] = true
		}
		return broken
	}, one("by-hand", func(*features, *execution) {})},
	{"a job runs for each fire that all shards of the one before it have ended, and not earlier", followed,
		one("after-retries", func(_ *features, x *execution) { x.Fire = x.Fire.Add(time.Second) })},
	{"a job does not follow one that failed", each(func(f *features, x *execution) bool {
		return x.Job != "after-hopeless"
	}),
		one("sticky", func(_ *features, x *execution) { x.Job = "after-hopeless" })},
	{"a run has a fence, or no claim", each(func(f *features, x *execution) bool {
		return (x.Fence == 0) == (x.Job == "unclaimed")
	}),
		one("sticky", func(_ *features, x *execution) { x.Fence = 0 })},
	{"a job that has grown computes with one total", func(f *features, all []*execution) (broken []string) {
		total := map[int]int{}
		for _, x := range all {
			if x.Job != "growing" {
				continue
			}
			if x.Total < total[x.Shard] || x.Shard >= x.Total {
				broken = append(broken, fmt.Sprintf("total %d: %s", x.Total, tell(x)))
			}
			total[x.Shard] = x.Total
		}
		return broken
	}, one("growing", func(_ *features, x *execution) { x.Total = 2 })},
	{"a new schedule holds from its first fire on", func(f *features, all []*execution) (broken []string) {
		odd := map[int]bool{}
		for _, x := range all {
			if x.Job != "even-then-odd" {
				continue
			}
			if x.Fire.Second()%2 == 0 && odd[x.Shard] {
				broken = append(broken, tell(x))
			}
			odd[x.Shard] = odd[x.Shard] || x.Fire.Second()%2 == 1
		}
		return broken
	}, one("even-then-odd", func(_ *features, x *execution) { x.Fire = x.Fire.Add(time.Second) })},
	{"nothing is made up for that was missed while it was disabled", each(func(f *features, x *execution) bool {
		return x.Job != "starting" && (x.Job != "one-shard-off" || x.Shard != 1) || x.Fire.After(f.changed)
	}), one("starting", func(f *features, x *execution) { x.Fire = f.changed })},
}

// one doctors a history: there is one more run of a job, at the end, that is
// like its last one and yet different.
func one(job string, change func(f *features, x *execution)) func(f *features, all []*execution) []*execution {
	return func(f *features, all []*execution) []*execution {
		for _, x := range slices.Backward(all) {
			if x.Job == job && x.done() {
				more := *x
				change(f, &more)
				return append(all, &more)
			}
		}
		return all
	}
}

// missed doctors a history: a fire that came while a slow run was under way was
// not missed.
func missed(job string) func(f *features, all []*execution) []*execution {
	return func(f *features, all []*execution) []*execution {
		runs, _ := slow(all, job)
		for _, x := range runs {
			if x.ok() {
				more := *x
				more.Fire, more.Time = x.Fire.Add(time.Second), x.End.Add(time.Millisecond)
				return append(all, &more)
			}
		}
		return all
	}
}

func tell(x *execution) string {
	return fmt.Sprintf(
		"%s/%d on %s, %s, from %s to %s: %s",
		x.Job, x.Shard, x.Instance, x.Line, x.Time.Format("15:04:05.000"), x.End.Format("15:04:05.000"), x.Outcome,
	)
}

// ran is the sight of a run of a job.
func ran(job string, wanted func(x *execution) bool) func(f *features, all []*execution) bool {
	return func(_ *features, all []*execution) bool {
		return slices.ContainsFunc(all, func(x *execution) bool { return x.Job == job && wanted(x) })
	}
}

// each is the rule that something holds for every run.
func each(holds func(f *features, x *execution) bool) func(f *features, all []*execution) []string {
	return func(f *features, all []*execution) (broken []string) {
		for _, x := range all {
			if !holds(f, x) {
				broken = append(broken, tell(x))
			}
		}
		return broken
	}
}

// instances returns those that a job ran on.
func instances(all []*execution, job string) map[string]bool {
	on := map[string]bool{}
	for _, x := range all {
		if x.Job == job {
			on[x.Instance] = true
		}
	}
	return on
}

// slow returns the runs of a job, of one shard, that were to take three seconds
// and have ended, and for each that was followed by another that one.
func slow(all []*execution, job string) (runs []*execution, next map[*execution]*execution) {
	next = map[*execution]*execution{}
	var last *execution
	for _, x := range all {
		if x.Job != job {
			continue
		}
		if last != nil && x.Fire.After(last.Fire) {
			next[last] = x
		}
		last = nil
		if x.done() && x.Fire.Second()%10 == 0 {
			runs, last = append(runs, x), x
		}
	}
	return runs, next
}

// between returns the runs that must not have been: for fires after that of a
// slow run, and its end, at which they were to be missed.
func between(all []*execution, job string, missed func(fire, end time.Time) bool) (broken []string) {
	runs, _ := slow(all, job)
	for _, s := range runs {
		for _, x := range all {
			if x.after(job, s.Fire) && !x.Time.Before(s.End) && missed(x.Fire, s.End) {
				broken = append(broken, fmt.Sprintf("%s, after %s", tell(x), tell(s)))
			}
		}
	}
	return broken
}

// crowded returns when more than so many runs of a place were under way at
// once; an empty place does not count.
func crowded(all []*execution, most int, place func(x *execution) string) (broken []string) {
	under := map[string][]*execution{}
	for _, x := range all {
		at := place(x)
		if at == "" || !x.done() {
			continue
		}
		under[at] = append(slices.DeleteFunc(under[at], func(o *execution) bool { return !o.End.After(x.Time) }), x)
		if n := len(under[at]); n > most {
			broken = append(broken, fmt.Sprintf("%d at once, the last of them %s", n, tell(x)))
		}
	}
	return broken
}

// triggersRan reports whether every shard has run the triggers that it was
// asked for.
func triggersRan(f *features, all []*execution) bool {
	for n, of := range f.asked {
		done := map[int]bool{}
		for _, x := range all {
			if x.Job == "by-hand" && x.Trigger == n && x.ok() {
				done[x.Shard] = true
			}
		}
		shards := of.shards
		if len(shards) == 0 {
			shards = []int{0, 1, 2, 3}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(done)), shards) {
			return false
		}
	}
	return true
}

// followed compares the runs of after-retries with those of retries, which
// fires every other second.
func followed(_ *features, all []*execution) (broken []string) {
	ended := map[time.Time]map[int]time.Time{} // by fire and shard of retries
	last := map[int]time.Time{}                // by shard of after-retries: the fire before
	for _, x := range all {
		if x.Job == "retries" && x.ok() {
			if ended[x.Fire] == nil {
				ended[x.Fire] = map[int]time.Time{}
			}
			ended[x.Fire][x.Shard] = x.End
		}
	}
	for _, x := range all {
		if x.Job != "after-retries" {
			continue
		}
		for shard := range 2 {
			if end, ok := ended[x.Fire][shard]; !ok || end.After(x.Time) {
				broken = append(broken, fmt.Sprintf("shard %d of retries had not ended that fire: %s", shard, tell(x)))
			}
		}
		if before := last[x.Shard]; x.Attempt == 1 && !before.IsZero() && x.Fire.Sub(before) != 2*time.Second {
			broken = append(broken, fmt.Sprintf("the fire before was %s: %s", before.Format(time.TimeOnly), tell(x)))
		}
		last[x.Shard] = x.Fire
	}
	return broken
}
