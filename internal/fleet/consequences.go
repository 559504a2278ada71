package fleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
)

// Consequences says in words what follows from a change of a job, and what of
// it may not be meant. assignment is the entry that the job has; without a
// version it has none.
func (n *Namespace) Consequences(
	job string,
	assignment store.Entry,
	old, spec layout.Spec,
	now time.Time,
) (then, warn []string) {
	if !spec.Since.Equal(old.Since) && !spec.Disabled {
		then = append(then, "fires count from now: one that is due and has not begun is not made up for")
	}
	if spec.Schedule != old.Schedule || spec.TimeZone != old.TimeZone {
		then = append(then, scheduleChange(spec, now)...)
	}
	if a, err := layout.DecodeAssignment(assignment.Value); err == nil && assignment.Version != 0 {
		then = append(then, n.moves(job, a, spec)...)
	}
	has, may := 0, 0
	for _, i := range n.Instances {
		if i.Err != nil || !i.Has(job) {
			continue
		}
		has++
		if i.Meets(spec.Requires) {
			may++
		}
	}
	switch {
	case has == 0:
		warn = append(warn, "no live instance has the job: nothing runs until one that has it starts")
	case may == 0:
		warn = append(warn, "no live instance has the labels "+layout.Labels(spec.Requires)+": nothing runs")
	}
	return then, warn
}

func scheduleChange(spec layout.Spec, now time.Time) []string {
	schedule, err := spec.Times()
	if err != nil || spec.Schedule == layout.Manual || len(spec.After) > 0 {
		return nil
	}
	told, _ := cron.Explain(schedule, now, 1) // without words there is still the next fire
	next := schedule.Next(now)
	if next.IsZero() {
		return []string{"the schedule is: " + told.Words}
	}
	zone, err := spec.Location()
	if err == nil {
		next = next.In(zone)
	}
	return []string{
		fmt.Sprintf(
			"the schedule is: %s; the next fire is %s",
			told.Words,
			next.Format("Mon 2006-01-02 15:04:05 -0700"),
		),
	}
}

// moves says which shards are new, go, or change their owners.
func (n *Namespace) moves(job string, a layout.Assignment, spec layout.Spec) []string {
	if spec.Broadcast() {
		return nil
	}
	var live []sharding.Instance
	for _, i := range n.Instances {
		if i.Err == nil && i.State == layout.Up && i.Has(job) && i.Meets(spec.Requires) {
			live = append(live, sharding.Instance{ID: i.ID, Weight: i.Weight})
		}
	}
	strategy, err := sharding.ByName(spec.Sharding)
	if err != nil || len(live) == 0 {
		return nil // only a program knows its own strategies
	}
	owners := strategy.Assign(job, spec.Shards, live, a.Owners)
	var then []string
	switch before := len(a.Owners); {
	case spec.Shards > before:
		then = append(then, fmt.Sprintf("%s are new", Counted(spec.Shards-before, "shard")))
	case spec.Shards < before:
		then = append(
			then,
			fmt.Sprintf(
				"%s go, with their records; triggers that wait are dropped",
				Counted(before-spec.Shards, "shard"),
			),
		)
	}
	moved := map[string]int{}
	total := 0
	for shard := range min(len(owners), len(a.Owners)) {
		if owners[shard] != a.Owners[shard] {
			moved[layout.InstanceName(a.Owners[shard])+" to "+layout.InstanceName(owners[shard])]++
			total++
		}
	}
	if total == 0 {
		return then
	}
	text := fmt.Sprintf("%s of %d move:", Counted(total, "shard"), min(len(owners), len(a.Owners)))
	for i, way := range slices.Sorted(maps.Keys(moved)) {
		if i == maxWays {
			text += fmt.Sprintf(" and %d more ways,", len(moved)-maxWays)
			break
		}
		text += fmt.Sprintf(" %d from %s,", moved[way], way)
	}
	return append(then, text[:len(text)-1])
}

// maxWays is how many ways of moving are told one by one.
const maxWays = 5

// Counted returns a number of things in words.
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
