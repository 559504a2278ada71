package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/integration/clustertest"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store/memory"
)

var (
	stormSeed  = flag.Uint64("storm.seed", 0, "run this storm alone")
	stormSeeds = flag.Uint64("storm.seeds", uint64(scaled(80, 16)), "how many storms to run")
)

// A storm is a minute or two of crashes, cuts, restarts, lost replies, slow
// watches, evictions and changed jobs, all drawn from one seed, and then a
// time without faults. Every commit is checked as it happens. At the end every
// fire must be accounted for. The seed does not decide which goroutine runs
// first, so a storm that fails does not always fail again: run it with -count.
func TestStorm_NothingLostOrRunTwice(t *testing.T) {
	first, last := uint64(1), *stormSeeds
	if *stormSeed != 0 {
		first, last = *stormSeed, *stormSeed
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("storm.seed=%d", seed), func(t *testing.T) {
			bubble(t, func(c *cluster) { newStorm(c, seed).run() })
		})
		if t.Failed() {
			return // one history is enough to read
		}
	}
}

// storm is one run of faults. The mix of faults is drawn from the seed as well,
// so storms differ in kind.
type storm struct {
	*cluster
	*rand.Rand
	instances int
	faults    map[string]int // the weight of each kind of fault
	loss      float64        // the probability that a request or its reply is lost
	skew      time.Duration  // the largest error of a clock
	live      map[string]*node
	changed   map[string]bool // jobs whose spec was changed, so that some fires are not due
	started   time.Time
}

func newStorm(c *cluster, seed uint64) *storm {
	s := &storm{cluster: c, Rand: rand.New(rand.NewPCG(seed, 42)), live: map[string]*node{}, changed: map[string]bool{}}
	s.instances = 2 + s.IntN(4)
	s.faults = map[string]int{}
	for _, f := range faultNames {
		if s.IntN(2) == 0 {
			s.faults[f] = 1 + s.IntN(4)
		}
	}
	s.faults["nothing"]++
	if s.IntN(2) == 0 {
		s.loss = s.Float64() * 0.1
	}
	if s.IntN(2) == 0 {
		s.skew = time.Duration(s.IntN(2000)) * time.Millisecond
	}
	for i := range 1 + s.IntN(3) {
		c.jobs = append(c.jobs, elastic.Job{
			Name: fmt.Sprint("job", i), Schedule: pick(s, "* * * * * ?", "0/2 * * * * ?", "0/5 * * * * ?",
				"@every 3s"), Shards: 1 + s.IntN(8),
			Failover: s.IntN(4) > 0, MaxAttempts: 100, Misfire: pick(s, elastic.MisfireAll, elastic.MisfireAll,
				elastic.MisfireOnce, elastic.MisfireSkip),
			Overlap: pick(s, elastic.OverlapQueue, elastic.OverlapQueue, elastic.OverlapSkip,
				elastic.OverlapReplace), Sharding: pick(s, "sticky", "sticky", "average"),
		})
	}
	longest := time.Duration(1+s.IntN(4000)) * time.Millisecond
	deaf, failing := s.IntN(3) == 0, s.IntN(3) == 0
	c.does(func(ctx context.Context, run elastic.Run) error {
		// Not from the storm's own random numbers, because handlers are
		// concurrent.
		h := rand.New(rand.NewPCG(seed, run.Fence()+uint64(run.Shard)))
		d := time.Duration(h.Int64N(int64(longest)))
		if deaf && h.IntN(5) == 0 {
			time.Sleep(d)
			return nil
		}
		err := sleepFor(d)(ctx, run)
		if failing && h.IntN(5) == 0 {
			return errors.New("the handler failed")
		}
		return err
	})
	return s
}

func pick[T any](s *storm, of ...T) T { return of[s.IntN(len(of))] }

func (s *storm) run() {
	s.started = time.Now()
	s.audit.SetSkew(2 * s.skew)
	for i := range s.instances {
		s.up(fmt.Sprint("n", i))
	}
	calm := time.Now().Add(time.Duration(30+s.IntN(60)) * time.Second)
	for time.Now().Before(calm) {
		time.Sleep(time.Duration(s.IntN(4000)) * time.Millisecond)
		s.fault(s.draw())
	}
	s.settle()
	s.account()
}

func (s *storm) draw() string {
	total := 0
	for _, f := range faultNames {
		total += s.faults[f]
	}
	n := s.IntN(total)
	for _, f := range faultNames {
		if n -= s.faults[f]; n < 0 {
			return f
		}
	}
	return "nothing"
}

var faultNames = []string{"crash", "leave", "cut", "expire", "evict", "compact", "slow", "change", "remove", "nothing"}

// up starts an instance unless it runs.
func (s *storm) up(name string) {
	if s.live[name] != nil {
		return
	}
	loss, r := s.loss, rand.New(rand.NewPCG(s.Uint64(), 1))
	s.live[name] = s.startWith(name, func(q memory.Request) memory.Fault {
		if loss == 0 {
			return memory.Fault{}
		}
		s.mu.Lock()
		p, wait := r.Float64(), time.Duration(r.IntN(800))*time.Millisecond
		s.mu.Unlock()
		switch {
		case p < loss/4:
			return memory.Fault{LoseReply: true, Broken: true}
		case p < loss/2:
			return memory.Fault{LoseRequest: true, Broken: true}
		case p < loss*3/4:
			return memory.Fault{Late: wait}
		case p < loss:
			return memory.Fault{Refuse: true}
		case p < 2*loss:
			return memory.Fault{Before: wait, After: wait}
		}
		return memory.Fault{}
	}, elastic.WithTesting(elastic.Testing{Now: s.clock()}))
}

// clock returns a clock for an instance. It may be wrong.
func (s *storm) clock() func() time.Time {
	if s.skew == 0 {
		return time.Now
	}
	off := time.Duration(s.Int64N(int64(2*s.skew))) - s.skew
	return func() time.Time { return time.Now().Add(off) }
}

// remove unregisters a job from an instance and adds it again later.
func (s *storm) remove(n *node) {
	job := s.jobs[s.IntN(len(s.jobs))]
	if n.sched.Unregister(job.Name) != nil {
		return // the job is unregistered already
	}
	away := time.Duration(s.IntN(15_000)) * time.Millisecond
	go func() {
		time.Sleep(away)
		_ = n.sched.Add(job, s.handler(n)) // the instance may have left by then
	}()
}

func (s *storm) fault(kind string) {
	name := fmt.Sprint("n", s.IntN(s.instances))
	n := s.live[name]
	if n == nil {
		s.up(name)
		return
	}
	switch kind {
	case "crash":
		s.crash(n)
		delete(s.live, name)
	case "leave":
		n.stop()
		delete(s.live, name)
	case "cut":
		n.client.Cut()
		go func() {
			time.Sleep(time.Duration(rand.N(int64(3 * ttl))))
			n.client.Heal()
		}()
	case "expire":
		if sessions := s.server.Sessions(); len(sessions) > 0 {
			s.declareDead()
			s.server.ExpireSession(sessions[s.IntN(len(sessions))])
		}
	case "evict":
		for _, e := range s.server.Dump() {
			if e.Owner != "" && s.IntN(2) == 0 {
				s.declareDead()
				admin := s.server.Connect(clustertest.Operator)
				_, _ = admin.Commit(context.Background(), deleteOf(e.Key))
				_ = admin.Close(context.Background())
				break
			}
		}
	case "compact":
		s.server.Compact()
	case "slow":
		n.client.SlowWatches(time.Duration(s.IntN(1500))*time.Millisecond, time.Duration(s.IntN(1500))*time.Millisecond)
	case "change":
		s.change()
	case "remove":
		s.remove(n)
	}
}

// declareDead notes that any live instance may have been evicted.
func (s *storm) declareDead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		n.evicted = append(n.evicted, time.Now())
	}
}

func (s *storm) change() {
	job := s.jobs[s.IntN(len(s.jobs))].Name
	if s.spec(job).Shards == 0 {
		return // the job is not yet stored
	}
	s.changed[job] = true
	s.overwrite(job, func(spec *layout.Spec) {
		switch s.IntN(3) {
		case 0:
			spec.Shards = 1 + s.IntN(8)
		case 1:
			spec.Disabled = !spec.Disabled
		case 2:
			spec.Schedule = pick(s, "* * * * * ?", "0/2 * * * * ?", "0/5 * * * * ?")
		}
	})
}

// settle ends all faults and waits until the cluster is at rest.
func (s *storm) settle() {
	s.mu.Lock()
	for _, n := range s.nodes {
		n.client.OnRequest(nil)
		n.client.Heal()
		n.client.SlowWatches(0, 0)
	}
	s.mu.Unlock()
	for i := range 1 + s.IntN(s.instances) {
		s.up(fmt.Sprint("n", i))
	}
	for _, n := range s.live {
		n.client.OnRequest(nil)
	}
	for _, j := range s.jobs {
		if s.spec(j.Name).Disabled {
			s.overwrite(j.Name, func(spec *layout.Spec) { spec.Disabled = false })
		}
	}
	// Sessions expire, handlers that ignore their context return, and due fires
	// run, one after the other with MisfireAll.
	s.pass(4 * time.Minute)
}

// account checks that no shard is stuck and no fire is lost.
func (s *storm) account() {
	var live []string
	for name := range s.live {
		live = append(live, name)
	}
	for _, j := range s.jobs {
		spec := s.spec(j.Name)
		for _, owner := range s.owners(j.Name) {
			if s.live[owner] == nil {
				s.t.Errorf("job %s: the owner %s of a shard is not live; live are %v", j.Name, owner, live)
			}
		}
		behind := 30 * time.Second
		if spec.Misfire == failover.MisfireAll {
			behind = 24 * time.Hour // it may have many fires to make up for
		}
		for shard := range spec.Shards {
			r := s.record(j.Name, shard)
			if r.Fence == 0 || time.Since(r.Fire) > behind {
				s.t.Errorf("job %s shard %d: the last fire is %s, now it is %s", j.Name, shard, r, stamp(time.Now()))
			}
			if s.changed[j.Name] || j.Misfire != elastic.MisfireAll || j.Overlap != elastic.OverlapQueue {
				continue
			}
			s.everyFireIsAccountedFor(j, shard, r)
		}
	}
}

// everyFireIsAccountedFor checks that each fire up to the record's has a
// result, in order.
func (s *storm) everyFireIsAccountedFor(j elastic.Job, shard int, last failover.Record) {
	accounted := map[int64]bool{}
	for _, r := range s.find(func(r *ran) bool { return r.job == j.Name && r.shard == shard }) {
		if !r.died && (r.err == nil || r.cause == nil) {
			accounted[r.fire.Unix()] = true
		}
	}
	policy, err := s.spec(j.Name).Policy()
	if err != nil {
		s.t.Fatal(err)
	}
	for fire := policy.Schedule.Next(policy.Since); fire.Before(last.Fire); fire = policy.Schedule.Next(fire) {
		if !accounted[fire.Unix()] && !(s.audit.Abandoned(j.Name, shard, fire) && !j.Failover) {
			s.t.Errorf("job %s shard %d: the fire of %s has no result", j.Name, shard, stamp(fire))
			return
		}
	}
}
