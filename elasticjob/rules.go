package elasticjob

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options says how findings are judged.
type Options struct {
	Settle    time.Duration // how long an owner must have been absent
	Zone      string        // of jobs without a timeZone, which use their JVM's; empty: not known
	Rerun     bool          // a run of a dead owner is repeated, if no later fire has come due
	OlderThan time.Duration // reused-id is repaired when the mark is older; zero: only if it is asked for
}

// The ages from which a mark is called old.
const (
	oldRunPeriods = 10
	oldRun        = 30 * time.Minute
	oldPin        = time.Minute
	oldServer     = 7 * 24 * time.Hour
	apart         = time.Minute // marks of one execution are made within it, and some time for each
)

// examination is one snapshot under the rules.
type examination struct {
	*facts
	seen     *Seen
	options  Options
	now      time.Time
	period   time.Duration
	judged   bool // the list of instances could be read
	findings []*Finding
}

// Examine returns what is wrong with a job, in the order of shards and rules.
// It reads nothing: the same snapshot and the same observations give the same
// findings. [Seen.Observe] must have had the snapshot. A finding whose Waits is
// not empty must not be repaired yet.
func Examine(s *Snapshot, seen *Seen, o Options) []*Finding {
	f := factsOf(s)
	e := &examination{facts: f, seen: seen, options: o, now: s.At, judged: !f.unread("instances")}
	e.period = f.period(e.now, o.Zone)
	for _, u := range s.Unread {
		e.add(&Finding{Rule: Unreadable, Class: Tell, What: fmt.Sprintf("%s: %s", cmp.Or(u.Path, "the job's node"), u.Why), path: u.Path})
	}
	if s.at("config") == nil && !f.unread("config") {
		e.add(&Finding{Rule: NoJob, Class: Tell, What: "the node has no config, so it is no job of ElasticJob's"})
		return e.findings
	}
	if f.configErr != nil {
		e.add(&Finding{
			Rule: Unreadable, Class: Tell, What: "config: " + f.configErr.Error(), path: "config",
			Frees: "mend the configuration; until then this job is left alone",
		})
	}
	if f.config == nil {
		return e.findings
	}
	if e.judged {
		for _, item := range f.items {
			e.running(item)
			e.failovering(item)
			e.misfire(item)
		}
		e.failoverItems()
		e.lostShards()
		e.leader()
		e.triggers()
		e.guarantees()
		if !f.unread("servers") {
			e.serverNodes()
		}
	}
	e.pins()
	e.notes()
	seen.note(e.findings, e.now)
	for _, finding := range e.findings {
		e.wait(finding)
	}
	return e.findings
}

func (e *examination) add(f *Finding) {
	f.Job = e.s.Job
	if n := e.s.at(f.path); n != nil && f.czxid == 0 {
		f.czxid = n.Stat.Czxid
	}
	e.findings = append(e.findings, f)
}

// wait says what a repair still waits for.
func (e *examination) wait(f *Finding) {
	if f.change == nil {
		return
	}
	needs := max(f.needs, e.options.Settle)
	if watched := e.now.Sub(e.seen.found[f.key()]); watched < needs {
		f.Waits = fmt.Sprintf("watched for %v, a repair needs %v without a change", watched.Truncate(time.Second), needs)
		return
	}
	for _, id := range f.change.gone {
		if absent := e.seen.absence(id, e.now); absent < e.options.Settle {
			f.Waits = fmt.Sprintf("%s is absent for %v, a repair needs %v", id, absent.Truncate(time.Second), e.options.Settle)
		}
	}
}

func (e *examination) age(n *Node) time.Duration { return max(0, e.now.Sub(n.Stat.Created)) }

func shardOf(item int) *int { return &item }

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }

// running is the rules about a shard's running mark.
func (e *examination) running(item int) {
	path := shardPath(item, "running")
	n := e.s.at(path)
	if n == nil || !isID(n.Data) {
		return
	}
	owner := n.Data
	f := &Finding{
		Shard: shardOf(item), Holder: owner, Since: n.Stat.Created, path: path,
		Fire:   fireBefore(e.schedule(e.options.Zone), n.Stat.Created),
		Frees:  "delete " + path,
		change: &change{deletes: []mark{markOf(e.s, path)}},
	}
	f.Why = append(f.Why, fmt.Sprintf("%s names %s since %s", path, owner, clock(n.Stat.Created)))
	if e.alive(owner) {
		e.runningOfLive(f, item, n, owner)
		return
	}
	f.Rule, f.Class = DeadRunning, Auto
	f.What = fmt.Sprintf("the run of %s never ended, and its instance is gone: the shard never runs again, and every resharding waits for it", owner)
	f.Why = append(f.Why, fmt.Sprintf("instances has no %s", owner))
	f.change.gone = []string{owner}
	if n.Stat.Session != 0 { // it can't be pinned, and goes with its session
		f.Class = Ask
		f.Why = append(f.Why, fmt.Sprintf("the mark is ephemeral, and session 0x%x still lives", n.Stat.Session))
	}
	if claim := e.s.at(shardPath(item, "failover")); claim != nil && isID(claim.Data) && e.alive(claim.Data) {
		f.Rule = BlockedClaimer
		f.What = fmt.Sprintf("%s has claimed the shard but can't run it, as the mark of %s, which is gone, is in the way; so it runs nothing else either",
			claim.Data, owner)
		f.Why = append(f.Why, fmt.Sprintf("%s names %s, which is alive", shardPath(item, "failover"), claim.Data))
		f.change.live = []string{claim.Data}
		e.add(f)
		return
	}
	e.rerun(f, item, n)
	e.add(f)
}

// rerun adds the item by which Java repeats a run, if that is wanted and the
// fire is still the latest.
func (e *examination) rerun(f *Finding, item int, n *Node) {
	if !e.options.Rerun || !e.config.Failover || f.Class != Auto || item >= e.shards() {
		return
	}
	schedule := e.schedule(e.options.Zone)
	if schedule == nil && e.config.Cron != "" {
		f.Why = append(f.Why, "the run is not repeated: the job has no timeZone, so it is not known whether a later fire has come due; say --zone")
		return
	}
	if schedule != nil {
		if later := schedule.Next(n.Stat.Created); !later.IsZero() && !later.After(e.now) {
			f.Why = append(f.Why, fmt.Sprintf("the run is not repeated: a later fire has come due at %s", clock(later)))
			return
		}
	}
	again := fmt.Sprintf("leader/failover/items/%d", item)
	if e.s.at(again) == nil {
		f.change.creates = append(f.change.creates, making{path: again})
		f.Frees += " and create " + again + ", so that the run is repeated"
	}
}

// runningOfLive judges a mark whose owner is alive.
func (e *examination) runningOfLive(f *Finding, item int, n *Node, owner string) {
	path := f.path
	instance := e.instances[owner]
	f.change.live = []string{owner}
	later := e.laterExecution(path, n, owner)
	switch {
	case later != "" && n.Stat.Session == 0:
		f.Rule, f.Class = LeftRunning, Auto
		f.What = fmt.Sprintf("%s has ended this run and begun later ones, but the mark stayed: the shard is left out of every fire", owner)
		f.Why = append(f.Why, later)
	case n.Stat.Czxid < instance.Stat.Czxid:
		f.Rule, f.Class = ReusedID, Ask
		f.What = fmt.Sprintf("the mark is older than the instance of its name: either a process with the same ID died in the run, or %s reconnected while it runs", owner)
		f.Why = append(f.Why, fmt.Sprintf("instances/%s was created at %s", owner, clock(instance.Stat.Created)))
		if e.options.OlderThan > 0 && e.age(n) > e.options.OlderThan && n.Stat.Session == 0 {
			f.Class = Auto
			f.Why = append(f.Why, fmt.Sprintf("it is older than %v", e.options.OlderThan))
		}
	case e.period > 0 && e.age(n) > max(oldRun, oldRunPeriods*e.period):
		f.Rule, f.Class = OldRunning, Ask
		f.What = fmt.Sprintf("%s runs the shard for %v, or its mark stayed when the run had ended", owner, e.age(n).Truncate(time.Second))
		f.Why = append(f.Why, fmt.Sprintf("it is older than ten periods of %v", e.period))
	case e.s.at("leader/sharding/necessary") != nil && e.age(n) > max(e.period, apart):
		f.Rule, f.Class, f.change = LongRun, Tell, nil
		f.What = fmt.Sprintf("%s runs the shard for %v, and a resharding of the whole job waits for it", owner, e.age(n).Truncate(time.Second))
		f.Frees = "the end of the run"
	default:
		return
	}
	e.add(f)
}

// laterExecution returns the fact that proves that the owner of a mark has begun
// a later execution, or nothing. An instance has one Quartz worker, which runs
// one execution at a time.
func (e *examination) laterExecution(path string, n *Node, owner string) string {
	if other := e.seen.outlived(path, n.Stat.Czxid); other != "" {
		return fmt.Sprintf("%s was deleted and created again twice by %s while this mark stayed", other, owner)
	}
	const each = 100 * time.Millisecond // marks are made one after another
	limit := apart + time.Duration(len(e.items))*each
	for _, item := range e.items {
		other := shardPath(item, "running")
		m := e.s.at(other)
		if m != nil && m.Data == owner && m.Stat.Czxid > n.Stat.Czxid && m.Stat.Created.Sub(n.Stat.Created) > limit {
			return fmt.Sprintf("%s of the same instance was created at %s, in a later execution", other, clock(m.Stat.Created))
		}
	}
	return ""
}

// failovering is the rule about the mark of a claim whose owner is gone.
func (e *examination) failovering(item int) {
	path := shardPath(item, "failovering")
	n := e.s.at(path)
	if n == nil || !isID(n.Data) || e.alive(n.Data) || n.Stat.Session != 0 || e.s.at(shardPath(item, "failover")) != nil {
		return
	}
	if run := e.s.at(shardPath(item, "running")); run != nil && (!isID(run.Data) || e.alive(run.Data)) {
		return // the end of that run takes the mark along
	}
	e.add(&Finding{
		Shard: shardOf(item), Rule: DeadFailovering, Class: Auto, Holder: n.Data, Since: n.Stat.Created, path: path,
		What:  fmt.Sprintf("%s took the shard over and is gone; the mark makes Java repeat a run when that ID comes back", n.Data),
		Why:   []string{fmt.Sprintf("%s names %s since %s", path, n.Data, clock(n.Stat.Created)), "instances has no " + n.Data},
		Frees: "delete " + path,
		change: &change{
			deletes: []mark{markOf(e.s, path)},
			gone:    []string{n.Data},
			missing: []string{shardPath(item, "failover")},
		},
	})
}

func (e *examination) misfire(item int) {
	path := shardPath(item, "misfire")
	n := e.s.at(path)
	if n == nil || e.period == 0 || e.age(n) <= 2*e.period {
		return
	}
	e.add(&Finding{
		Shard: shardOf(item), Rule: OldMisfire, Class: Ask, Since: n.Stat.Created, path: path,
		What:   "a fire was missed more than two periods ago; the mark lets the shard run twice at its next fire",
		Why:    []string{fmt.Sprintf("%s is there since %s, the period is %v", path, clock(n.Stat.Created), e.period)},
		Frees:  "delete " + path,
		change: &change{deletes: []mark{markOf(e.s, path)}},
	})
}

func (e *examination) failoverItems() {
	const dir = "leader/failover/items"
	for _, name := range e.s.below(dir) {
		path := dir + "/" + name
		n := e.s.at(path)
		f := &Finding{Since: n.Stat.Created, path: path, Frees: "delete " + path, change: &change{deletes: []mark{markOf(e.s, path)}}}
		item, ok := itemNumber(name)
		switch run := e.s.at(shardPath(item, "running")); {
		case !ok || item >= e.shards():
			f.Rule, f.Class = StrayItem, Auto
			f.What = fmt.Sprintf("a failover waits for shard %.40q of a job with %d shards: whoever takes it creates that shard and runs it", name, e.shards())
			f.Why = []string{fmt.Sprintf("shardingTotalCount is %d", e.shards())}
		case run != nil && e.alive(run.Data) && run.Stat.Czxid > n.Stat.Czxid:
			f.Shard, f.Rule, f.Class, f.Holder = shardOf(item), LateItem, Ask, run.Data
			f.What = "a failover waits although the shard has begun a later run since: it would run again, late"
			f.Why = []string{fmt.Sprintf("%s was created at %s, %s at %s", path, clock(n.Stat.Created), shardPath(item, "running"), clock(run.Stat.Created))}
		case e.period > 0 && e.age(n) > max(2*e.period, time.Minute):
			f.Shard, f.Rule, f.Class = shardOf(item), LateItem, Ask
			f.What = "a failover waits for more than two periods; if its shard ran meanwhile it would run again, late"
			f.Why = []string{fmt.Sprintf("%s is there since %s, the period is %v", path, clock(n.Stat.Created), e.period)}
		default:
			continue
		}
		e.add(f)
	}
}

// lostShards is the rule about shards that no instance will run. One finding
// stands for all of a job, as one resharding mends all.
func (e *examination) lostShards() {
	if e.config.StaticSharding || e.s.at("leader/sharding/necessary") != nil || e.unread("servers") || e.unread("sharding") {
		return
	}
	someone := false
	for id := range e.instances {
		someone = someone || e.enabled(id)
	}
	if !someone {
		return
	}
	var lost, why []string
	for item := range e.shards() {
		path := shardPath(item, "instance")
		switch n := e.s.at(path); {
		case n == nil:
			why = append(why, path+" is not there")
		case !e.alive(n.Data):
			why = append(why, fmt.Sprintf("%s names %s, which is gone", path, n.Data))
		case !e.enabled(n.Data):
			why = append(why, fmt.Sprintf("%s names %s, whose server is disabled or has no node", path, n.Data))
		default:
			continue
		}
		lost = append(lost, fmt.Sprint(item))
	}
	if len(lost) == 0 {
		return
	}
	const necessary = "leader/sharding/necessary"
	f := &Finding{
		Rule: LostShard, Class: Auto, path: "sharding of " + strings.Join(lost, ","), needs: 2 * e.period,
		What:   fmt.Sprintf("%s has no instance that runs it, and no resharding is due", listed("shard", lost)),
		Why:    why[:min(len(why), 10)],
		Frees:  "create " + necessary + ", so that the leader assigns all shards at its next fire",
		change: &change{creates: []making{{path: necessary}}},
	}
	if e.config.Cron == "" {
		f.Frees += "; the job has no schedule, so it must be triggered, too"
	}
	e.add(f)
}

func listed(word string, names []string) string {
	if len(names) == 1 {
		return word + " " + names[0]
	}
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("each of %d %ss, %s and so on,", len(names), word, strings.Join(names[:most], ", "))
	}
	return "each of " + word + "s " + strings.Join(names, ", ")
}

func (e *examination) leader() {
	const path, latch, processing = "leader/election/instance", "leader/election/latch", "leader/sharding/processing"
	leader := e.s.at(path)
	if leader != nil && isID(leader.Data) && !e.alive(leader.Data) {
		e.add(&Finding{
			Rule: DeadLeader, Class: Auto, Holder: leader.Data, Since: leader.Stat.Created, path: path,
			What:   fmt.Sprintf("the leader %s has no instance any more, but its session lives: nothing is sharded, and no other is elected", leader.Data),
			Why:    []string{fmt.Sprintf("%s names %s", path, leader.Data), fmt.Sprintf("session 0x%x still lives", leader.Stat.Session)},
			Frees:  "delete " + path + "; the instances elect another leader",
			change: &change{deletes: []mark{markOf(e.s, path)}, gone: []string{leader.Data}},
		})
	}
	if names := e.s.below(latch); leader == nil && len(names) > 0 {
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(latchOrder(a), latchOrder(b)) })
		first := e.s.at(latch + "/" + names[0])
		if e.now.Sub(first.Stat.Created) > max(e.options.Settle, time.Minute) {
			f := &Finding{
				Rule: HeldLatch, Class: Tell, Since: first.Stat.Created, path: latch,
				What: "there is no leader, and the election does not end: its first candidate does not go on",
				Why:  []string{fmt.Sprintf("%s/%s belongs to session 0x%x since %s", latch, names[0], first.Stat.Session, clock(first.Stat.Created))},
			}
			f.Frees = "end the process of that session"
			for id, n := range e.instances {
				if n.Stat.Session == first.Stat.Session {
					f.Holder, f.Frees = id, "restart the JVM of "+id
				}
			}
			e.add(f)
		}
	}
	if n := e.s.at(processing); n != nil && (leader == nil || leader.Stat.Session != n.Stat.Session) {
		e.add(&Finding{
			Rule: StrayProcessing, Class: Ask, Since: n.Stat.Created, path: processing,
			What:   "a resharding is under way in a session that does not lead: all other instances wait for its end",
			Why:    []string{fmt.Sprintf("%s belongs to session 0x%x", processing, n.Stat.Session)},
			Frees:  "delete " + processing,
			change: &change{deletes: []mark{markOf(e.s, processing)}},
		})
	}
}

// latchOrder returns the part of a latch's name by which Curator orders them.
func latchOrder(name string) string {
	if i := strings.LastIndex(name, "latch-"); i >= 0 {
		return name[i+len("latch-"):]
	}
	return name
}

func (e *examination) triggers() {
	for _, id := range e.s.below("trigger") {
		path := "trigger/" + id
		if !isID(id) || e.alive(id) {
			continue
		}
		e.add(&Finding{
			Rule: DeadTrigger, Class: Auto, Holder: id, Since: e.s.at(path).Stat.Created, path: path,
			What:   fmt.Sprintf("a trigger waits for %s, which is gone: the job would run when that ID comes back", id),
			Why:    []string{"instances has no " + id},
			Frees:  "delete " + path,
			change: &change{deletes: []mark{markOf(e.s, path)}, gone: []string{id}},
		})
	}
}

func (e *examination) guarantees() {
	if e.period == 0 {
		return
	}
	for _, item := range e.items {
		if e.s.at(shardPath(item, "running")) != nil {
			return
		}
	}
	for _, dir := range []string{"guarantee/started", "guarantee/completed"} {
		for _, name := range e.s.below(dir) {
			path := dir + "/" + name
			n := e.s.at(path)
			if e.age(n) <= 2*e.period {
				continue
			}
			f := &Finding{
				Rule: OldGuarantee, Class: Ask, Since: n.Stat.Created, path: path,
				What:   "a mark of a listener that waits for all shards is left while nothing runs: the next fire counts it as done",
				Why:    []string{fmt.Sprintf("%s is there since %s, the period is %v", path, clock(n.Stat.Created), e.period)},
				Frees:  "delete " + path,
				change: &change{deletes: []mark{markOf(e.s, path)}},
			}
			if item, ok := itemNumber(name); ok {
				f.Shard = shardOf(item)
			}
			e.add(f)
		}
	}
}

func (e *examination) serverNodes() {
	live := map[string]bool{}
	var ids []string
	for id := range e.instances {
		live[ipOf(id)] = true
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		path := "servers/" + ipOf(id)
		if !isID(id) || e.servers[ipOf(id)] != nil {
			continue
		}
		state := "ENABLED"
		if e.config.Disabled {
			state = "DISABLED"
		}
		e.add(&Finding{
			Rule: MissingServer, Class: Auto, Holder: id, Since: e.instances[id].Stat.Created, path: "instances/" + id,
			What:   fmt.Sprintf("%s is alive but has no server node, so it gets no shard", id),
			Why:    []string{path + " is not there"},
			Frees:  fmt.Sprintf("create %s with the value %s", path, state),
			change: &change{creates: []making{{path: path, data: state}}, live: []string{id}},
		})
	}
	for _, ip := range e.s.below("servers") {
		path := "servers/" + ip
		n := e.s.at(path)
		if live[ip] || n.Data == "DISABLED" || e.now.Sub(n.Stat.Modified) <= oldServer {
			continue
		}
		e.add(&Finding{
			Rule: OldServer, Class: Ask, Since: n.Stat.Modified, path: path,
			What:   fmt.Sprintf("the server %s has had no instance for a week; each start of an instance reads it four times", ip),
			Why:    []string{fmt.Sprintf("%s was written at %s, and instances has none of that address", path, clock(n.Stat.Modified))},
			Frees:  "delete " + path,
			change: &change{deletes: []mark{markOf(e.s, path)}},
		})
	}
}

// pins are the children that a doctor which ended in a repair has left.
func (e *examination) pins() {
	for _, path := range sortedPaths(e.s) {
		n := e.s.at(path)
		if !isPin(path) || e.age(n) <= oldPin {
			continue
		}
		e.add(&Finding{
			Rule: LeftPin, Class: Auto, Since: n.Stat.Created, path: path,
			What:   "a doctor ended in a repair and left its pin; it changes nothing for Java",
			Frees:  "delete " + path,
			change: &change{deletes: []mark{markOf(e.s, path)}},
		})
	}
}

// notes are what an operator should know, and what nothing is done about.
func (e *examination) notes() {
	tell := func(rule Rule, path, what, frees string) {
		e.add(&Finding{Rule: rule, Class: Tell, What: what, Frees: frees, path: path})
	}
	if e.config.Failover && !e.config.MonitorExecution {
		tell(UnmonitoredClaim, "config", "failover is on and monitorExecution is off: nothing is ever failed over", "set monitorExecution to true")
	}
	if e.config.OldPoolKey && e.config.NewPoolKey {
		tell(MixedConfig, "config", "config has the pool's key of 3.0.4 and that of 3.0.5: no version can read it", "remove one of them")
	}
	if len(e.config.Unknown) > 0 {
		tell(MixedConfig, "config", "config has keys that ElasticJob does not know, such as "+quoted(e.config.Unknown)+": Java can't read it", "remove them")
	}
	for _, item := range e.items {
		if e.s.at(shardPath(item, "disabled")) != nil {
			e.add(&Finding{
				Shard: shardOf(item), Rule: ShardDisabled, Class: Tell, path: shardPath(item, "disabled"),
				What: "the shard is disabled by an operator", Frees: "enable it in ElasticJob-UI",
			})
		}
	}
	var disabled []string
	for _, ip := range e.s.below("servers") {
		if e.servers[ip].Data == "DISABLED" {
			disabled = append(disabled, ip)
		}
	}
	if len(disabled) > 0 {
		tell(JobDisabled, "servers", "the job is disabled on "+quoted(disabled), "enable it in ElasticJob-UI; a restart of that instance enables it, too")
	}
}

// confirmed returns the findings that both of two collects show.
func confirmed(first, second []*Finding) []*Finding {
	keys := map[string]bool{}
	for _, f := range first {
		keys[f.key()] = true
	}
	return slices.DeleteFunc(second, func(f *Finding) bool { return !keys[f.key()] })
}

func sortedPaths(s *Snapshot) []string {
	paths := make([]string, 0, len(s.Nodes))
	for path := range s.Nodes {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
