package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Shrink returns a result with fewer faults that breaks an invariant that r breaks, too: of the plan's faults, all are left out that
// can be, and then what makes it harder to read. run runs a plan.
func Shrink(r Result, run func(p Plan, tracing bool) Result) Result {
	want := r.Found[0]
	best := r.Plan
	fails := func(p Plan) bool {
		return slices.ContainsFunc(run(p, false).Found, func(v checker.Violation) bool { return v.Invariant == want.Invariant })
	}
	try := func(p Plan) bool {
		if fails(p) {
			best = p
			return true
		}
		return false
	}
	// ddmin: leave out ever smaller parts.
	for parts := 2; len(best.Faults) > 0; {
		size := (len(best.Faults) + parts - 1) / parts
		smaller := false
		for from := 0; from < len(best.Faults); from += size {
			p := best
			p.Faults = slices.Delete(slices.Clone(best.Faults), from, min(from+size, len(best.Faults)))
			if try(p) {
				smaller = true
				break
			}
		}
		switch {
		case smaller:
			parts = max(parts-1, 2)
		case size == 1:
			parts = 0
		default:
			parts = min(parts*2, len(best.Faults))
		}
		if parts == 0 {
			break
		}
	}
	calmer := []func(p *Plan){
		func(p *Plan) { p.Slow = 0 },
		func(p *Plan) { p.Torn = false },
		func(p *Plan) { p.Weak = false },
		func(p *Plan) { p.MaxOps = 128 },
		func(p *Plan) { p.Works = Work{Longest: p.Works.Longest} },
		func(p *Plan) { p.Jobs = p.Jobs[:1] },
		func(p *Plan) { p.Nodes = max(2, highest(p.Faults)+1) },
	}
	for _, f := range calmer {
		p := best
		f(&p)
		try(p)
	}
	return run(best, true)
}

func highest(faults []Fault) (place int) {
	for _, f := range faults {
		place = max(place, f.Node)
	}
	return place
}

// Story tells why a result is a failure: the plan, what is broken, and the life of the record that it is about. of is how many faults
// the plan had before it was shrunk.
func (r Result) Story(of int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(shrunk from %d faults; go test ./internal/sim -run EveryInvariant -sim.seed=%d replays it)\n\n", r.Plan, of, r.Plan.Seed)
	for i, v := range r.Found {
		if i == 5 {
			fmt.Fprintf(&b, "and %d more\n", len(r.Found)-i)
			break
		}
		fmt.Fprintln(&b, v)
	}
	if len(r.Found) == 0 {
		return b.String()
	}
	v := r.Found[0]
	fmt.Fprintf(&b, "\nThe life of %s/%d:\n", v.Job, v.Shard)
	for _, line := range r.Trace {
		if concerns(v, line) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

// concerns says whether a line of the trace belongs to the story of a violation: what happened to the record, to the job that it is of,
// and to the processes.
func concerns(v checker.Violation, line string) bool {
	_, text, _ := strings.Cut(line, " ")
	source, text, _ := strings.Cut(text, ": ")
	if source == "world" || strings.Contains(text, layout.Instances+"/") && v.Shard < 0 {
		return true
	}
	for _, of := range []string{
		fmt.Sprintf(" %s/%d ", v.Job, v.Shard), layout.RunKey(v.Job, v.Shard) + " ",
		layout.JobKey(v.Job) + " ", layout.AssignmentKey(v.Job) + " ", layout.SignalsKey(v.Job) + " ",
	} {
		if v.Job != "" && strings.Contains(text+" ", of) {
			return true
		}
	}
	for _, kind := range []string{"joined", "lost", "left", "has left"} {
		if strings.HasPrefix(text, kind) {
			return true
		}
	}
	return false
}
