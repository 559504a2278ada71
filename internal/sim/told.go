package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// epoch is when virtual time begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// drawTold draws what jobs and instances can be told besides: followers, broadcasts, limits, retries and so on. One seed in two knows
// nothing of it.
func (p *Plan) drawTold(d dice) {
	if d.of("nothing").chance(0.5) {
		return
	}
	weighted, limited := d.of("weighted").chance(0.3), d.of("limited").chance(0.3)
	for i := range p.Nodes {
		own := d.of("node").nth(uint64(i))
		p.Zones = append(p.Zones, pick(own.of("zone"), "east", "west"))
		if weighted {
			p.Weights[i] = pick(own.of("weight"), 1, 1, 2, 5)
		}
		if limited {
			p.Most[i] = pick(own.of("most"), 0, 1, 2, 4)
		}
	}
	p.Jobs = append(p.Jobs, drawJob(d.of("one more"), len(p.Jobs)))
	for i := range p.Jobs {
		p.tell(d.of("job").nth(uint64(i)), i)
		limited = limited || p.Jobs[i].Spec.MaxConcurrent > 0
	}
	p.MaxOps = max(p.MaxOps, 8) // a claim of a job that follows two rests on as many keys
	w := d.of("work")
	p.Works.Fail = max(p.Works.Fail, pick(w.of("fail"), 0, 0.1, 0.4))
	p.Works.Skip, p.Works.Permanent, p.Works.Again = pick(w.of("skip"), 0, 0.1), pick(w.of("permanent"), 0, 0.1), pick(w.of("again"), 0, 0.1)
	p.Works.Yield = pick(w.of("yield"), 0, 0.3)
	p.recoverIn(p.Recovery + 3*time.Second) // one more try
	p.recoverIn(p.Recovery + p.carryOn())
	if limited {
		p.recoverIn(p.Recovery + 10*time.Second) // what has piled up runs one after the other
	}
}

// carryOn is the longest for which a run may go on without its session.
func (p *Plan) carryOn() (longest time.Duration) {
	for _, j := range p.Jobs {
		longest = max(longest, time.Duration(j.Spec.CarryOn))
	}
	return longest
}

// recoverIn makes the calm longer by what recovery takes longer.
func (p *Plan) recoverIn(d time.Duration) { p.Calm, p.Recovery = p.Calm+d-p.Recovery, d }

// tell draws what one job is told. It may follow those before it.
func (p *Plan) tell(d dice, i int) {
	s := &p.Jobs[i].Spec
	switch pick(d.of("kind"), "", "", "", "follows", "follows", "broadcast", "unclaimed", "once", "manual") {
	case "follows":
		p.follow(d, i)
	case "broadcast":
		s.Shards, s.Sharding = 0, layout.BroadcastSharding
	case "unclaimed":
		s.Unclaimed = true
	case "once":
		s.Schedule = "@at " + epoch.Add(5*time.Second+d.of("at").upTo(p.Length)).Truncate(time.Second).Format(time.RFC3339)
	case "manual":
		s.Schedule = layout.Manual
		for n := range uint64(4) {
			f := d.of("triggers").nth(n)
			p.Faults = append(p.Faults, Fault{At: f.upTo(p.Length).Truncate(time.Microsecond), Kind: Trigger, Node: f.of("node").below(p.Nodes), N: i + len(p.Jobs)*f.of("n").below(1000)})
		}
		slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	default:
		s.Sharding = pick(d.of("sharding"), s.Sharding, "sticky", "average", "odevity", "rotate", "single", "static")
	}
	if d.of("retries").chance(0.5) {
		s.Retries = pick(d.of("often"), 1, 2, 5)
		s.RetryDelay = pick(d.of("delay"), layout.Duration(20*time.Millisecond), layout.Duration(500*time.Millisecond))
		s.RetryMaxDelay = pick(d.of("longest"), s.RetryDelay, layout.Duration(2*time.Second))
	}
	if d.of("carries on").chance(0.25) {
		s.CarryOn = pick(d.of("carry on"), layout.Duration(time.Second), layout.Duration(3*time.Second))
	}
	if d.of("limited").chance(0.3) {
		s.MaxConcurrent = pick(d.of("most"), 1, 2)
	}
	if d.of("choosy").chance(0.2) {
		s.Requires = map[string]string{"zone": pick(d.of("zone"), "east", "west")}
	}
	*s = lawful(*s)
}

// follow has a job follow one or two of those before it. Who runs without claims can't be followed.
func (p *Plan) follow(d dice, i int) {
	var names []string
	for _, j := range p.Jobs[:i] {
		if !j.Spec.Unclaimed {
			names = append(names, j.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	s := &p.Jobs[i].Spec
	s.Schedule, s.AfterEnds = "", pick(d.of("ends"), failover.WhenSucceeded, failover.WhenEnded)
	s.After = []string{pick(d.of("first"), names...)}
	if second := pick(d.of("second"), names...); second != s.After[0] && d.of("two").chance(0.3) {
		s.After = append(s.After, second)
	}
}

// lawful returns a spec without what its kind of job may not say.
func lawful(s layout.Spec) layout.Spec {
	if s.Broadcast() || s.Unclaimed {
		s.Failover = false
	}
	if s.Unclaimed {
		s.CarryOn = 0
	}
	if len(s.After) > 0 && s.Misfire == failover.MisfireSkip {
		s.Misfire = failover.MisfireOnce
	}
	if len(s.After) > 0 && s.Overlap == failover.OverlapSkip {
		s.Overlap = failover.OverlapQueue // fires whose time is before the end of the last run are skipped, however late they come
	}
	return s
}

// periodic says whether a job has a schedule with many fires.
func periodic(s layout.Spec) bool {
	return len(s.After) == 0 && s.Schedule != layout.Manual && !once(s)
}

// once says whether a job has one fire.
func once(s layout.Spec) bool { return strings.HasPrefix(s.Schedule, "@at") }

// told is what a plan's text says of drawTold.
func (p Plan) told() string {
	var b strings.Builder
	if len(p.Zones) > 0 {
		fmt.Fprintf(&b, "instances: zones %s, weights %v, runs at a time %v; of 100 handlers skip %.0f, fail for good %.0f, ask for another call %.0f, yield %.0f\n", p.Zones, p.Weights, p.Most, 100*p.Works.Skip, 100*p.Works.Permanent, 100*p.Works.Again, 100*p.Works.Yield)
	}
	return b.String()
}

func toldOf(s layout.Spec) string {
	var b strings.Builder
	if len(s.After) > 0 {
		fmt.Fprintf(&b, ", after %s %s", s.After, s.AfterEnds)
	}
	if s.Unclaimed {
		b.WriteString(", unclaimed")
	}
	if s.Retries > 0 {
		fmt.Fprintf(&b, ", %d retries after %s to %s", s.Retries, time.Duration(s.RetryDelay), time.Duration(s.RetryMaxDelay))
	}
	if s.CarryOn > 0 {
		fmt.Fprintf(&b, ", carries on for %s", time.Duration(s.CarryOn))
	}
	if s.MaxConcurrent > 0 {
		fmt.Fprintf(&b, ", %d at a time", s.MaxConcurrent)
	}
	if len(s.Requires) > 0 {
		fmt.Fprintf(&b, ", requires %v", s.Requires)
	}
	return b.String()
}

func (p Plan) labels(place int) map[string]string {
	if len(p.Zones) == 0 {
		return nil
	}
	return map[string]string{"zone": p.Zones[place]}
}
