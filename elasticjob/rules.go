package elasticjob

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Options are the limits and choices by which findings are judged.
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
		e.add(&Finding{
			Rule:  Unreadable,
			Class: Tell,
			What:  fmt.Sprintf("%s: %s", cmp.Or(u.Path, "the job's node"), u.Why),
			path:  u.Path,
		})
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

// wait sets the condition that a repair still waits for.
func (e *examination) wait(f *Finding) {
	if f.change == nil {
		return
	}
	needs := max(f.needs, e.options.Settle)
	if watched := e.now.Sub(e.seen.found[f.key()]); watched < needs {
		f.Waits = fmt.Sprintf("watched for %v, a repair needs %v without a change", watched.Truncate(time.Second),
			needs)
		return
	}
	for _, id := range f.change.gone {
		if absent := e.seen.absence(id, e.now); absent < e.options.Settle {
			f.Waits = fmt.Sprintf("%s is absent for %v, a repair needs %v", id, absent.Truncate(time.Second),
				e.options.Settle)
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
	f.because("%s names %s since %s", path, owner, clock(n.Stat.Created))
	if e.alive(owner) {
		e.runningOfLive(f, item, n, owner)
		return
	}
	f.Rule, f.Class = DeadRunning, Auto
	f.What = fmt.Sprintf("the run of %s never ended, and its instance is gone: the shard never runs again, and every "+
		"resharding waits for it", owner)
	f.because("instances has no %s", owner)
	f.change.gone = []string{owner}
	if n.Stat.Session != 0 { // it can't be pinned, and goes with its session
		f.Class = Ask
		f.because("the mark is ephemeral, and session 0x%x still lives", n.Stat.Session)
	}
	if claim := e.s.at(shardPath(item, "failover")); claim != nil && isID(claim.Data) && e.alive(claim.Data) {
		f.Rule = BlockedClaimer
		f.What = fmt.Sprintf("%s has claimed the shard but can't run it, as the mark of %s, which is gone, is in the "+
			"way; so it runs nothing else either",
			claim.Data, owner)
		f.because("%s names %s, which is alive", shardPath(item, "failover"), claim.Data)
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
		f.Why = append(f.Why, "the run is not repeated: the job has no timeZone, so it is not known whether a later "+
			"fire has come due; say --zone")
		return
	}
	if schedule != nil {
		if later := schedule.Next(n.Stat.Created); !later.IsZero() && !later.After(e.now) {
			f.because("the run is not repeated: a later fire has come due at %s", clock(later))
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
		f.What = fmt.Sprintf("%s has ended this run and begun later ones, but the mark stayed: the shard is left out "+
			"of every fire", owner)
		f.Why = append(f.Why, later)
	case n.Stat.Czxid < instance.Stat.Czxid:
		f.Rule, f.Class = ReusedID, Ask
		f.What = fmt.Sprintf("the mark is older than the instance of its name: either a process with the same ID "+
			"died in the run, or %s reconnected while it runs", owner)
		f.because("instances/%s was created at %s", owner, clock(instance.Stat.Created))
		if e.options.OlderThan > 0 && e.age(n) > e.options.OlderThan && n.Stat.Session == 0 {
			f.Class = Auto
			f.because("it is older than %v", e.options.OlderThan)
		}
	case e.endedLongAgo(path, n):
		end := e.seen.endOf(path, n.Stat.Czxid)
		f.Rule, f.Class = OldRunning, Ask
		f.What = fmt.Sprintf("%s has ended the run, but its mark stayed: the shard is left out of every fire", owner)
		f.because("JOB_EXECUTION_LOG has the end at %s, and no later run of it", clock(end))
	case e.period > 0 && e.age(n) > max(oldRun, oldRunPeriods*e.period):
		f.Rule, f.Class = OldRunning, Ask
		f.What = fmt.Sprintf("%s runs the shard for %v, or its mark stayed when the run had ended", owner,
			e.age(n).Truncate(time.Second))
		f.because("it is older than ten periods of %v", e.period)
	case e.s.at("leader/sharding/necessary") != nil && e.age(n) > max(e.period, apart):
		f.Rule, f.Class, f.change = LongRun, Tell, nil
		f.What = fmt.Sprintf("%s runs the shard for %v, and a resharding of the whole job waits for it", owner,
			e.age(n).Truncate(time.Second))
		f.Frees = "the end of the run"
	default:
		return
	}
	e.add(f)
}

// endedLongAgo reports whether the tracing tables have the end of a mark's run,
// and have had it for so long that the mark should be gone.
func (e *examination) endedLongAgo(path string, n *Node) bool {
	end := e.seen.endOf(path, n.Stat.Czxid)
	return !end.IsZero() && n.Stat.Session == 0 && e.now.Sub(end) > max(apart, e.options.Settle)
}

// laterExecution returns the fact that proves that the owner of a mark has
// begun a later execution, or nothing. An instance has one Quartz worker, which
// runs one execution at a time.
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
			return fmt.Sprintf("%s of the same instance was created at %s, in a later execution", other,
				clock(m.Stat.Created))
		}
	}
	return ""
}

// failovering is the rule about the mark of a claim whose owner is gone.
func (e *examination) failovering(item int) {
	path := shardPath(item, "failovering")
	n := e.s.at(path)
	if n == nil || !isID(n.Data) || e.alive(n.Data) || n.Stat.Session != 0 {
		return
	}
	if e.s.at(shardPath(item, "failover")) != nil {
		return
	}
	if run := e.s.at(shardPath(item, "running")); run != nil && (!isID(run.Data) || e.alive(run.Data)) {
		return // the end of that run takes the mark along
	}
	e.add(&Finding{
		Shard:  shardOf(item),
		Rule:   DeadFailovering,
		Class:  Auto,
		Holder: n.Data,
		Since:  n.Stat.Created,
		path:   path,
		What: fmt.Sprintf("%s took the shard over and is gone; the mark makes Java repeat a run when that ID comes "+
			"back", n.Data),
		Why: []string{
			fmt.Sprintf("%s names %s since %s", path, n.Data, clock(n.Stat.Created)),
			"instances has no " + n.Data,
		},
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
		f := &Finding{
			Since:  n.Stat.Created,
			path:   path,
			Frees:  "delete " + path,
			change: &change{deletes: []mark{markOf(e.s, path)}},
		}
		item, ok := itemNumber(name)
		switch run := e.s.at(shardPath(item, "running")); {
		case !ok || item >= e.shards():
			f.Rule, f.Class = StrayItem, Auto
			f.What = fmt.Sprintf("a failover waits for shard %.40q of a job with %d shards: the instance that takes "+
				"it creates that shard and runs it", name, e.shards())
			f.Why = []string{fmt.Sprintf("shardingTotalCount is %d", e.shards())}
		case run != nil && e.alive(run.Data) && run.Stat.Czxid > n.Stat.Czxid:
			f.Shard, f.Rule, f.Class, f.Holder = shardOf(item), LateItem, Ask, run.Data
			f.What = "a failover waits although the shard has begun a later run since: it would run again, late"
			f.because("%s was created at %s, %s at %s",
				path, clock(n.Stat.Created), shardPath(item, "running"), clock(run.Stat.Created))
		case e.period > 0 && e.age(n) > max(2*e.period, time.Minute):
			f.Shard, f.Rule, f.Class = shardOf(item), LateItem, Ask
			f.What = "a failover waits for more than two periods; if its shard ran meanwhile it would run again, late"
			f.because("%s is there since %s, the period is %v", path, clock(n.Stat.Created), e.period)
		default:
			continue
		}
		e.add(f)
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
