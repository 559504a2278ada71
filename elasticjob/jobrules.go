package elasticjob

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// lostShards is the rule about shards that no instance will run. One finding
// stands for all of a job, as one resharding mends all.
func (e *examination) lostShards() {
	if e.config.StaticSharding || e.s.at("leader/sharding/necessary") != nil || e.unread("servers") ||
		e.unread("sharding") {
		return
	}
	enabled := false
	for id := range e.instances {
		enabled = enabled || e.enabled(id)
	}
	if !enabled {
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
			Rule:   DeadLeader,
			Class:  Auto,
			Holder: leader.Data,
			Since:  leader.Stat.Created,
			path:   path,
			What: fmt.Sprintf("the leader %s has no instance any more, but its session lives: nothing is sharded, "+
				"and no other is elected", leader.Data),
			Why: []string{
				fmt.Sprintf("%s names %s", path, leader.Data),
				fmt.Sprintf("session 0x%x still lives", leader.Stat.Session),
			},
			Frees:  "delete " + path + "; the instances elect another leader",
			change: &change{deletes: []mark{markOf(e.s, path)}, gone: []string{leader.Data}},
		})
	}
	if names := e.s.below(latch); leader == nil && len(names) > 0 {
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(latchOrder(a), latchOrder(b)) })
		first := e.s.at(latch + "/" + names[0])
		if e.now.Sub(first.Stat.Created) > max(e.options.Settle, time.Minute) {
			f := &Finding{
				Rule:  HeldLatch,
				Class: Tell,
				Since: first.Stat.Created,
				path:  latch,
				What:  "there is no leader, and the election does not end: its first candidate does not go on",
				Why: []string{
					fmt.Sprintf(
						"%s/%s belongs to session 0x%x since %s",
						latch,
						names[0],
						first.Stat.Session,
						clock(first.Stat.Created),
					),
				},
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
				Rule:  OldGuarantee,
				Class: Ask,
				Since: n.Stat.Created,
				path:  path,
				What: "a mark of a listener that waits for all shards is left while nothing runs: the next fire " +
					"counts it as done",
				Why: []string{
					fmt.Sprintf("%s is there since %s, the period is %v", path, clock(n.Stat.Created), e.period),
				},
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
			Rule:  OldServer,
			Class: Ask,
			Since: n.Stat.Modified,
			path:  path,
			What: fmt.Sprintf("the server %s has had no instance for a week; each start of an instance reads it "+
				"four times", ip),
			Why: []string{
				fmt.Sprintf(
					"%s was written at %s, and instances has none of that address",
					path,
					clock(n.Stat.Modified),
				),
			},
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
		tell(UnmonitoredClaim, "config", "failover is on and monitorExecution is off: nothing is ever failed over",
			"set monitorExecution to true")
	}
	if e.config.OldPoolKey && e.config.NewPoolKey {
		tell(MixedConfig, "config", "config has the pool's key of 3.0.4 and that of 3.0.5: no version can read it",
			"remove one of them")
	}
	if len(e.config.Unknown) > 0 {
		tell(
			MixedConfig,
			"config",
			"config has keys that ElasticJob does not know, such as "+quoted(e.config.Unknown)+": Java can't read it",
			"remove them",
		)
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
		tell(JobDisabled, "servers", "the job is disabled on "+quoted(disabled),
			"enable it in ElasticJob-UI; a restart of that instance enables it, too")
	}
}
