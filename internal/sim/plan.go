package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Plan is everything that makes a run what it is. Two runs of one plan are the same.
type Plan struct {
	Seed   uint64
	Nodes  int
	Length time.Duration // of the time in which there are faults
	Calm   time.Duration // of the time after it, in which everything must come right

	Recovery time.Duration // by when in the calm it must

	TTL, Request, JoinDelay, StandIn, Resync, Drain, Grace time.Duration

	Latency time.Duration   // a request, a reply, an update takes up to this long
	Tail    time.Duration   // some take up to this long
	Slow    float64         // how many do
	Skew    []time.Duration // how far each node's clock is off
	Weak    bool            // versions start again, as ZooKeeper's do
	MaxOps  int             // of a transaction
	Torn    bool            // lists are no point in time

	Weights []int    // of each node
	Most    []int    // runs at a time on each; zero: all
	Zones   []string // a label of each; none: instances have no labels

	Jobs  []JobPlan
	Works Work

	Faults []Fault // by time
}

// JobPlan is a job.
type JobPlan struct {
	Name string
	Spec layout.Spec
}

// Work is what handlers do. Each draws its own lot.
type Work struct {
	Longest                 time.Duration
	Fail, Panic, Exit       float64 // how many end so
	Skip, Permanent, Again  float64 // how many say that there was nothing to do, that it can't be done, that they want to be called again
	Deaf                    float64 // how many don't look at their context
	Yield                   float64 // how many look whether their shard moves, and hand their run over then
	Hang                    float64 // how many don't end by themselves for ten seconds
	Poison                  float64 // how many fires kill every process that runs them
	PoisonFrom, PoisonUntil time.Duration
}

// Fault is something that happens to the cluster at a time.
type Fault struct {
	At   time.Duration // since the start
	Kind Kind
	Node int
	For  time.Duration // how long it lasts
	N    int           // a count, or a choice
	P    float64       // a share
}

// Kind is what happens.
type Kind string

// The kinds. After its time For, a process that is gone is started again.
const (
	Crash     Kind = "crash"     // at once
	CrashAt   Kind = "crash at"  // at its N-th step from now: before a request, after it was applied, after its reply, between two steps of a handler
	Leave     Kind = "leave"     // it is asked to leave, and does
	Pause     Kind = "pause"     // it stands still for For
	Cut       Kind = "cut"       // it can't reach the store for For
	Lose      Kind = "lose"      // for For, a share P of its requests or replies is lost
	Late      Kind = "late"      // for For, a share P of its requests arrives late, also after their sender gave up or died
	Lag       Kind = "lag"       // for For, watches show things N milliseconds late and seldom
	Expire    Kind = "expire"    // the store ends its session
	Evict     Kind = "evict"     // somebody deletes its key
	Compact   Kind = "compact"   // watches start again
	Step      Kind = "step"      // its clock is off by N milliseconds for For
	Reshard   Kind = "reshard"   // job N%jobs has another number of shards
	Resched   Kind = "resched"   // it has another schedule
	Disable   Kind = "disable"   // it is disabled for For
	Recreate  Kind = "recreate"  // its spec is deleted; whoever has it puts it there again
	Withdraw  Kind = "withdraw"  // the instance removes the job, and adds it again after For
	Overwrite Kind = "overwrite" // the instance adds it anew, with another number of shards
	Trigger   Kind = "trigger"   // the instance is asked to trigger job N%jobs
	Policy    Kind = "policy"    // it has another failover, attempts and misfire policy
)

func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9s  %-9s n%d", f.At, f.Kind, f.Node)
	if f.For > 0 {
		fmt.Fprintf(&b, "  for %s", f.For)
	}
	if f.N != 0 {
		fmt.Fprintf(&b, "  %d", f.N)
	}
	if f.P > 0 {
		fmt.Fprintf(&b, "  %.0f%%", 100*f.P)
	}
	return b.String()
}

func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d instances, faults for %s, then %s of calm; ttl %s, join delay %s, stand-in %s, resync %s, drain %s+%s\n", p.Seed, p.Nodes, p.Length, p.Calm, p.TTL, p.JoinDelay, p.StandIn, p.Resync, p.Drain, p.Grace)
	fmt.Fprintf(&b, "network: up to %s, %.1f%% up to %s; requests give up after %s; clocks off by %s; at most %d keys a transaction, weak versions %v, torn lists %v\n", p.Latency, 100*p.Slow, p.Tail, p.Request, p.Skew, p.MaxOps, p.Weak, p.Torn)
	w := p.Works
	fmt.Fprintf(&b, "handlers: up to %s, of 100 fail %.0f, panic %.0f, exit %.0f, are deaf %.0f, hang %.0f, kill %.1f\n", w.Longest, 100*w.Fail, 100*w.Panic, 100*w.Exit, 100*w.Deaf, 100*w.Hang, 100*w.Poison)
	b.WriteString(p.told())
	for _, j := range p.Jobs {
		s := j.Spec
		fmt.Fprintf(&b, "job %s: %q, %d shards %s, failover %v, %d attempts, misfire %s, overlap %s, timeout %s, jitter %s%s\n", j.Name, s.Schedule, s.Shards, s.Sharding, s.Failover, s.MaxAttempts, s.Misfire, s.Overlap, time.Duration(s.Timeout), time.Duration(s.Jitter), toldOf(s))
	}
	fmt.Fprintf(&b, "%d faults:\n", len(p.Faults))
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	return b.String()
}

// skew is how far clocks differ that are not broken.
func (p Plan) skew() time.Duration {
	d := slices.Max(p.Skew) - slices.Min(p.Skew)
	for _, f := range p.Faults {
		if by := time.Duration(f.N) * time.Millisecond; f.Kind == Step && by.Abs() <= tolerated {
			d += by.Abs()
			break // of two that meet it is no longer the same node, or the clock is reported as broken
		}
	}
	return d
}

// tolerated is the longest step of a clock after which everything is still promised.
const tolerated = 2500 * time.Millisecond

func pick[T any](d dice, of ...T) T { return of[d.below(len(of))] }

var schedules = []string{"* * * * * ?", "0/2 * * * * ?", "0/3 * * * * ?", "0/5 * * * * ?", "@every 2s"}

// NewPlan draws a plan. The mix of faults is drawn, too, so that each seed is nasty in its own way.
func NewPlan(seed uint64) Plan {
	p := Plain(seed)
	p.drawTold(dice(seed).of("told"))
	return p
}

// Plain draws a plan whose jobs have a schedule and a number of shards, and whose instances are alike.
func Plain(seed uint64) Plan {
	d := dice(seed).of("plan")
	p := Plan{
		Seed: seed, Nodes: 2 + d.of("nodes").below(4), Length: 12*time.Second + d.of("length").upTo(24*time.Second).Truncate(time.Millisecond), Calm: 22 * time.Second, Recovery: 13 * time.Second,
		TTL: pick(d.of("ttl"), 2*time.Second, 3*time.Second, 3*time.Second), Request: pick(d.of("request"), 500*time.Millisecond, 1500*time.Millisecond),
		JoinDelay: pick(d.of("join"), 0, 200*time.Millisecond, time.Second), StandIn: pick(d.of("standin"), 500*time.Millisecond, 2*time.Second),
		Resync: pick(d.of("resync"), 6*time.Second, 20*time.Second, time.Minute), Drain: pick(d.of("drain"), 0, time.Second, 4*time.Second),
		Grace:   pick(d.of("grace"), 300*time.Millisecond, time.Second),
		Latency: pick(d.of("latency"), 100*time.Microsecond, time.Millisecond, 20*time.Millisecond),
		Tail:    pick(d.of("tail"), 50*time.Millisecond, 400*time.Millisecond, 1500*time.Millisecond),
		Slow:    pick(d.of("slow"), 0, 0, 0.005, 0.05),
		Weak:    d.of("weak").chance(0.2), Torn: d.of("torn").chance(0.2), MaxOps: pick(d.of("maxops"), 128, 128, 8, 5),
	}
	skew := pick(d.of("skew"), 0, 0, 200*time.Millisecond, 2*time.Second)
	for i := range p.Nodes {
		own := d.of("skews").nth(uint64(i))
		p.Weights, p.Most = append(p.Weights, 1), append(p.Most, 0)
		p.Skew = append(p.Skew, own.upTo(2*skew)-skew+own.of("ns").upTo(100*time.Microsecond))
	}
	p.drawJobs(d)
	w := d.of("work")
	p.Works = Work{
		Longest: pick(w.of("longest"), time.Millisecond, 300*time.Millisecond, 1500*time.Millisecond, 4*time.Second),
		Fail:    pick(w.of("fail"), 0, 0, 0.1), Panic: pick(w.of("panic"), 0, 0, 0.05), Exit: pick(w.of("exit"), 0, 0, 0.05),
		Deaf: pick(w.of("deaf"), 0, 0, 0.3), Hang: pick(w.of("hang"), 0, 0, 0, 0.01), Poison: pick(w.of("poison"), 0, 0, 0, 0.01),
	}
	p.drawFaults(d)
	if slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == Step && f.N > 2500 || f.N < -2500 }) {
		p.Resync = 3 * time.Second // instances learn of one another's clocks by their beats, some of which must fit into the calm
	}
	return p
}

func (p *Plan) drawJobs(d dice) {
	for i := range 1 + d.of("jobs").below(3) {
		p.Jobs = append(p.Jobs, drawJob(d.of("job").nth(uint64(i)), i))
	}
}

func drawJob(d dice, number int) JobPlan {
	return JobPlan{fmt.Sprint("job", number), layout.Spec{
		Schedule: pick(d.of("schedule"), schedules...), Shards: 1 + d.of("shards").below(6), Sharding: pick(d.of("sharding"), "sticky", "sticky", "average"),
		Failover: d.of("failover").chance(0.75), MaxAttempts: pick(d.of("attempts"), 2, 3, 100),
		Misfire: pick(d.of("misfire"), failover.MisfireAll, failover.MisfireAll, failover.MisfireOnce, failover.MisfireSkip),
		Overlap: pick(d.of("overlap"), failover.OverlapQueue, failover.OverlapQueue, failover.OverlapSkip, failover.OverlapReplace),
		Timeout: pick(d.of("timeout"), 0, 0, 0, layout.Duration(700*time.Millisecond)),
		Jitter:  pick(d.of("jitter"), 0, 0, 0, layout.Duration(500*time.Millisecond)),
	}}
}

// kinds are those that are drawn by themselves, with how long they last at most.
var kinds = []struct {
	kind    Kind
	longest time.Duration
}{
	{Crash, 9 * time.Second}, {CrashAt, 9 * time.Second}, {CrashAt, 4 * time.Second}, {CrashAt, 2 * time.Second}, {Leave, 6 * time.Second},
	{Pause, 9 * time.Second}, {Cut, 9 * time.Second}, {Lose, 6 * time.Second}, {Late, 6 * time.Second}, {Lag, 6 * time.Second},
	{Expire, 0}, {Evict, 0}, {Compact, 0}, {Step, 10 * time.Second},
	{Reshard, 0}, {Resched, 0}, {Disable, 5 * time.Second}, {Recreate, 0}, {Withdraw, 6 * time.Second}, {Overwrite, 0}, {Policy, 0}, {Trigger, 0}, {Trigger, 0},
	{"rolling", 0}, {"flood", 0},
}

func (p *Plan) drawFaults(d dice) {
	weights, total := make([]float64, len(kinds)), 0.0
	few := d.of("few").chance(0.5) // a seed with two or three kinds reaches deeper than one with all
	for i := range kinds {
		own := d.of("mix").nth(uint64(i))
		if own.chance(map[bool]float64{true: 0.15, false: 0.45}[few]) {
			weights[i] = 0.2 + own.of("weight").float()
		}
		total += weights[i]
	}
	if total == 0 {
		weights[1], total = 1, 1
	}
	every := pick(d.of("every"), 700*time.Millisecond, 1500*time.Millisecond, 4*time.Second)
	at := time.Duration(0)
	for n := uint64(0); ; n++ {
		f := d.of("fault").nth(n)
		at += f.of("gap").upTo(2 * every)
		if at > p.Length {
			break
		}
		x := f.of("kind").float() * total
		i := 0
		for ; i < len(kinds)-1; i++ {
			if x -= weights[i]; x < 0 && weights[i] > 0 {
				break
			}
		}
		if weights[i] == 0 || p.Weak && kinds[i].kind == Recreate {
			// Versions that start again must not be those of a key that somebody remembers: that is what tombstones are for.
			continue
		}
		p.draw(f, at.Truncate(time.Microsecond), kinds[i].kind, kinds[i].longest)
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
}

func (p *Plan) draw(d dice, at time.Duration, kind Kind, longest time.Duration) {
	f := Fault{At: at, Kind: kind, Node: d.of("node").below(p.Nodes), For: d.of("for").upTo(longest).Truncate(time.Microsecond)}
	switch kind {
	case CrashAt:
		f.N = 1 + d.of("n").below(pick(d.of("within"), 4, 12, 60))
	case Lose, Late:
		f.P = pick(d.of("p"), 0.02, 0.1, 0.4)
	case Lag:
		f.N = 1 + d.of("n").below(1500)
	case Step:
		f.N = pick(d.of("n"), 1500, 2500, -1500, -2500, 8000, 30_000, 3_600_000, -8000, -3_600_000)
	case Reshard, Resched, Disable, Recreate, Withdraw, Overwrite, Policy, Trigger:
		f.N = d.of("n").below(1 << 20)
	case "rolling": // one after the other leaves and comes back
		gap := 200*time.Millisecond + d.of("gap").upTo(2*time.Second)
		for i := range p.Nodes {
			p.Faults = append(p.Faults, Fault{At: at + time.Duration(i)*gap, Kind: Leave, Node: i, For: d.of("down").upTo(time.Second)})
		}
		return
	case "flood": // all die at about the same time, and come back as they like
		for i := range p.Nodes {
			own := d.nth(uint64(i))
			p.Faults = append(p.Faults, Fault{At: at + own.upTo(300*time.Millisecond), Kind: Crash, Node: i, For: own.of("down").upTo(5 * time.Second)})
		}
		return
	}
	p.Faults = append(p.Faults, f)
}
