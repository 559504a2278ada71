package sim

import (
	"context"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// strike has a fault happen.
func (w *World) strike(f Fault) {
	if w.calm.Load() {
		return
	}
	n := w.nodes[f.Node]
	if n == nil {
		w.count("fault missed its target")
		return
	}
	w.count("fault " + string(f.Kind))
	w.logf("world", "%s", f)
	switch f.Kind {
	case Pause, Cut, Lose, Late, Lag, Expire, Evict, Step, Withdraw, Overwrite:
		n.troubled = true
	}
	switch now := time.Now(); f.Kind {
	case Crash:
		w.crash(n, f.For)
	case CrashAt:
		n.crashSoon(f.N, f.For)
	case Leave:
		w.leave(n, f.For)
	case Pause:
		if w.dice.of("pause").nth(uint64(f.At)).chance(0.5) {
			n.stopFor = f.For
			w.after(f.For, func() { n.stopFor = 0 }) // the calm needs it awake
		} else {
			w.pause(n, f.For)
		}
	case Cut:
		n.client.Cut()
		n.cut = true
		w.after(f.For, n.heal)
	case Lose:
		n.lose = window{now.Add(f.For), f.P}
	case Late:
		n.late = window{now.Add(f.For), f.P}
	case Lag:
		lag := time.Duration(f.N) * time.Millisecond
		n.client.SlowWatches(lag, lag/2)
		w.after(f.For, func() { n.client.SlowWatches(0, 0) })
	case Expire:
		w.expire(n)
	case Evict:
		w.evict(n)
	case Compact:
		w.server.Compact()
	case Step:
		by := int64(f.N) * int64(time.Millisecond)
		n.clock.Add(by)
		w.clockStepped(time.Duration(n.clock.Load()))
		w.after(f.For, func() { n.clock.Store(int64(w.plan.Skew[n.place])) })
	case Trigger:
		w.trigger(n, f)
	case Withdraw, Overwrite:
		w.local(n, f)
	default:
		w.operate(f)
	}
}

// clockStepped notes a clock that is further off than instances promise to bear.
func (w *World) clockStepped(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := max(slices.Max(w.plan.Skew), by) - min(slices.Min(w.plan.Skew), by)
	for _, n := range w.nodes {
		if n != nil { // more than one may be off
			d = max(d, (by - time.Duration(n.clock.Load())).Abs())
		}
	}
	w.audit.Wrong = w.audit.Wrong || d > failover.MaxSkew
}

// crash ends a process as kill -9 does. Another is started in its place after a while; a negative while is never.
func (w *World) crash(n *node, back time.Duration) {
	w.gate.condemn(n)
	n.client.Crash()
	w.gate.bury(n)
	n.stop() // its code must end, too; nothing that it does reaches anybody
	w.count("crash")
	w.gone(n, back)
}

// gone notes that a process is no more, and has another started in its place.
func (w *World) gone(n *node, back time.Duration) {
	w.mu.Lock()
	for _, x := range w.running(n) {
		x.end, x.died = time.Now(), true
	}
	w.mu.Unlock()
	w.nodes[n.place] = nil
	switch {
	case !w.calm.Load() && back >= 0:
		w.after(back, func() {
			if !w.calm.Load() {
				w.up(n.place)
			}
		})
	case n.place == w.stays && !w.closing:
		w.up(n.place)
	}
}

// leave asks a process to leave. Its place is taken when it has left.
func (w *World) leave(n *node, back time.Duration) {
	if n.left {
		return
	}
	n.left, n.back = true, back
	n.stop()
}

// ended takes the end of a process that was asked to leave.
func (w *World) ended(n *node, err error) {
	if w.gate.buried(n) {
		return
	}
	w.logf(n.id, "has left: %v", err)
	w.gate.condemn(n) // handlers that are left behind end with the process
	w.mu.Lock()
	w.leavers = append(w.leavers, n)
	w.mu.Unlock()
	w.gate.knock()
}

// reap clears up after the processes that have left.
func (w *World) reap() {
	w.mu.Lock()
	leavers := w.leavers
	w.leavers = nil
	w.mu.Unlock()
	slices.SortFunc(leavers, func(a, b *node) int { return a.place - b.place })
	for _, n := range leavers {
		w.gate.bury(n)
		w.count("left")
		w.gone(n, n.back)
	}
}

func (n *node) heal() {
	n.cut = false
	n.client.Heal()
}

// pause has a process stand still: what it computes meanwhile leaves it when it goes on.
func (w *World) pause(n *node, d time.Duration) {
	now := time.Now()
	w.gate.hold(n, now.Add(d))
	w.mu.Lock()
	defer w.mu.Unlock()
	n.asleep = append(n.asleep, span{now, now.Add(d)})
}

// stopAtClaim has a process stand still that is to do so at its next claim: the store has it, and the answer is on its way.
func (w *World) stopAtClaim(n *node) {
	if d := n.stopFor; d > 0 {
		n.stopFor = 0
		w.pause(n, d)
	}
}

// expire ends the session of a node, as an operator would with the store's own tool.
func (w *World) expire(n *node) {
	for _, e := range w.server.Dump() {
		if id, ok := instanceOf(e); ok && w.clientOf(id) == n.id {
			n.doomed = append(n.doomed, time.Now())
			w.server.ExpireSession(e.Owner)
			return
		}
	}
}

// evict deletes the key of a node, as a neighbour would that takes it for dead.
func (w *World) evict(n *node) {
	for _, e := range w.server.Dump() {
		if id, ok := instanceOf(e); ok && w.clientOf(id) == n.id {
			n.doomed = append(n.doomed, time.Now())
			w.commit(store.Txn{Do: []store.Op{store.Delete(e.Key)}})
			return
		}
	}
}

func instanceOf(e store.Entry) (id string, ok bool) {
	return layout.NameOf(layout.Instances, e.Key)
}

func (w *World) clientOf(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.audit.Client(id)
}

// commit writes as the operator does: nothing happens to that.
func (w *World) commit(t store.Txn) {
	if _, err := w.admin.Commit(context.Background(), t); err != nil {
		panic(err) // the simulation asks for something that can't be
	}
}

// local has a node change what it has of a job.
func (w *World) local(n *node, f Fault) {
	j := w.plan.Jobs[f.N%len(w.plan.Jobs)]
	if n.left || n.away[j.Name] {
		return
	}
	n.remove(j.Name)
	if f.Kind == Withdraw {
		w.after(f.For, func() {
			if w.nodes[n.place] == n && n.away[j.Name] {
				n.add(j, false)
			}
		})
		return
	}
	w.change(j.Name)
	if !j.Spec.Broadcast() {
		j.Spec.Shards = 1 + (f.N/7)%6
	}
	w.after(0, func() { // not in one step with its removal
		if w.nodes[n.place] == n {
			n.add(j, true)
		}
	})
}

// trigger is one that an instance has promised to have run.
type trigger struct {
	seq   uint64
	only  int // the shard that it is for; -1: all
	asked time.Time
	taken time.Time
}

// trigger has a node ask for a run, as a program does or a console.
func (w *World) trigger(n *node, f Fault) {
	j := w.plan.Jobs[f.N%len(w.plan.Jobs)]
	only, shards := -1, []int(nil)
	if f.N/7%2 == 0 && !j.Spec.Broadcast() {
		only = f.N / 14 % j.Spec.Shards
		shards = []int{only}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	asked := time.Now()
	w.asking.Go(func() {
		defer cancel()
		seq, err := n.engine.Trigger(ctx, j.Name, failover.Trigger{Shards: shards}, false)
		if w.gate.buried(n) {
			return
		}
		w.logf(n.id+" trigger "+j.Name, "%d, %v", seq, err)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			w.counts["triggered"]++
			w.asked[j.Name] = append(w.asked[j.Name], trigger{seq, only, asked, time.Now()})
		}
	})
}

// change notes that a job's spec is another from now on.
func (w *World) change(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[job] = true
}

// operate changes a job's spec as an operator does.
func (w *World) operate(f Fault) {
	planned := w.plan.Jobs[f.N%len(w.plan.Jobs)]
	job, choice := planned.Name, f.N/7
	w.change(job)
	switch f.Kind {
	case Reshard:
		if !planned.Spec.Broadcast() {
			w.edit(job, func(s *layout.Spec) { s.Shards = 1 + choice%6 })
		}
	case Resched:
		if periodic(planned.Spec) {
			w.edit(job, func(s *layout.Spec) { s.Schedule = schedules[choice%len(schedules)] })
		}
	case Policy:
		w.edit(job, func(s *layout.Spec) {
			s.Failover = choice%3 > 0
			s.MaxAttempts = 1 + choice%4
			s.Misfire = []failover.Misfire{failover.MisfireAll, failover.MisfireOnce, failover.MisfireSkip}[choice/4%3]
			*s = lawful(*s)
		})
	case Disable:
		w.edit(job, func(s *layout.Spec) { s.Disabled = true })
		w.after(f.For, func() { w.edit(job, func(s *layout.Spec) { s.Disabled = false }) })
	case Recreate:
		if w.spec(job) != nil && !once(planned.Spec) { // whose time has passed nobody puts there again
			w.commit(store.Txn{Do: []store.Op{store.Delete(layout.JobKey(job))}})
		}
	}
}

func (w *World) spec(job string) *layout.Spec {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.audit.Spec(job)
}

// edit writes a job's spec anew, if it is there.
func (w *World) edit(job string, f func(s *layout.Spec)) {
	old := w.spec(job)
	if old == nil {
		return
	}
	next := *old
	f(&next)
	if next.Same(*old) {
		return
	}
	next = next.Replaces(*old, time.Now())
	w.rewrite(job, func(j layout.Job) layout.Job { return j.With(next, w.asOperator()) })
}

// rewrite replaces the document of a job as an operator does: the transaction
// keeps the revision that it replaces.
func (w *World) rewrite(job string, f func(j layout.Job) layout.Job) {
	w.mu.Lock()
	doc := w.audit.Job(job)
	w.mu.Unlock()
	if doc == nil {
		return
	}
	key, value, _ := doc.Replaced(job)
	keep := store.Create(key, value)
	if slices.ContainsFunc(w.server.Dump(), func(e store.Entry) bool { return e.Key == key }) {
		keep = store.Set(key, value) // also of a job of this name before it
	}
	w.commit(store.Txn{Do: []store.Op{store.Set(layout.JobKey(job), f(*doc).Encode()), keep}})
}

// asOperator returns what a document says about a change by the operator.
func (w *World) asOperator() layout.Changed {
	return layout.Changed{By: "operator", At: time.Now(), Via: layout.ViaCLI}
}

// settle ends all faults. Some processes are gone for good, at least one stays, and whoever stays has all jobs. One thing comes after
// the other: two that reach an instance in one step have no order.
func (w *World) settle() {
	w.logf("world", "calm")
	w.calm.Store(true)
	for _, n := range w.nodes {
		if n != nil {
			w.after(0, func() { w.relieve(n) })
		}
	}
	for i := range w.nodes {
		w.after(0, func() { w.choose(i) })
	}
	for i := range w.nodes {
		w.after(0, func() { w.restore(w.nodes[i]) })
	}
	for _, j := range w.plan.Jobs {
		w.after(0, func() { w.edit(j.Name, func(s *layout.Spec) { s.Disabled = false }) })
	}
}

// relieve ends what is done to a node.
func (w *World) relieve(n *node) {
	n.lose, n.late, n.crashAt, n.stopFor = window{}, window{}, 0, 0
	n.heal()
	n.client.SlowWatches(0, 0)
	n.clock.Store(int64(w.plan.Skew[n.place]))
	w.gate.loose(n)
	if k := len(n.asleep); k > 0 && n.asleep[k-1].to.After(time.Now()) {
		n.asleep[k-1].to = time.Now()
	}
}

// choose draws who is there in the calm.
func (w *World) choose(place int) {
	n, d := w.nodes[place], w.dice.of("end").nth(uint64(place))
	switch {
	case n == nil && (place == w.stays || d.of("up").chance(0.5)):
		w.up(place)
	case n == nil, n.left, place == w.stays:
	case d.of("die").chance(0.2):
		w.crash(n, -1)
	case d.of("leave").chance(0.2):
		w.leave(n, -1)
	}
}

// restore gives a node the jobs back that it has removed.
func (w *World) restore(n *node) {
	if n == nil || n.left {
		return
	}
	for _, j := range w.plan.Jobs {
		if n.away[j.Name] {
			n.add(j, false)
		}
	}
}
