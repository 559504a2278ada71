package elasticjob

import (
	"fmt"
	"time"
)

// Rule names a kind of finding. docs/elasticjob-stuck.md explains each.
type Rule string

// The rules. The comments say what is found.
const (
	DeadRunning      Rule = "dead-running"     // a running mark whose owner is gone
	ReusedID         Rule = "reused-id"        // a running mark older than the live instance of its ID
	LeftRunning      Rule = "left-running"     // a running mark whose live owner has begun a later execution
	OldRunning       Rule = "old-running"      // a running mark of a live owner, older than ten periods
	DeadFailovering  Rule = "dead-failovering" // a failovering mark whose owner is gone, and no run
	BlockedClaimer   Rule = "blocked-claimer"  // a live instance's claim that a dead owner's running mark blocks
	StrayItem        Rule = "stray-item"       // a failover item of a shard that the job does not have
	LateItem         Rule = "late-item"        // a failover item whose shard has begun a later run
	LostShard        Rule = "lost-shard"       // a shard whose owner is gone or disabled, and no resharding
	DeadLeader       Rule = "dead-leader"      // a leader whose instance is gone while its session lives
	HeldLatch        Rule = "held-latch"       // no leader, while an election does not end
	MissingServer    Rule = "missing-server"   // a live instance without its server node
	StrayProcessing  Rule = "stray-processing" // a resharding of a session that does not lead
	DeadTrigger      Rule = "dead-trigger"     // a trigger for an instance that is gone
	OldMisfire       Rule = "old-misfire"      // a misfire mark older than two periods
	OldGuarantee     Rule = "old-guarantee"    // marks of a distributed listener while nothing runs
	OldServer        Rule = "old-server"       // an enabled server node without an instance for a week
	LeftPin          Rule = "left-pin"         // a pin of a doctor that ended in a repair
	UnmonitoredClaim Rule = "no-monitor"       // failover without monitorExecution
	MixedConfig      Rule = "mixed-config"     // configuration keys of versions that can't read each other
	ShardDisabled    Rule = "shard-disabled"   // an operator's mark on a shard
	JobDisabled      Rule = "job-disabled"     // server nodes that say DISABLED
	LongRun          Rule = "long-run"         // a live run that a resharding waits for
	Unreadable       Rule = "unreadable"       // a node that can't be read
	NoJob            Rule = "no-job"           // a node of the namespace without a config
)

// Class says who decides about a repair.
type Class string

// The classes.
const (
	Auto Class = "auto" // the facts decide; done with --repair
	Ask  Class = "ask"  // a person decides; done with --repair --yes RULE
	Tell Class = "tell" // nothing is changed
)

// Finding is one thing that is wrong with a job, or that an operator should
// know.
type Finding struct {
	Job    string    `json:"job"`
	Shard  *int      `json:"shard,omitempty"`
	Rule   Rule      `json:"rule"`
	Class  Class     `json:"class"`
	What   string    `json:"what"`             // in one sentence
	Fire   time.Time `json:"fire,omitzero"`    // of the run that is stuck, as far as the schedule tells
	Since  time.Time `json:"since,omitzero"`   // by the servers' clock
	Holder string    `json:"holder,omitempty"` // the instance that the mark names
	Frees  string    `json:"frees,omitempty"`  // what would free it
	Why    []string  `json:"why,omitempty"`    // the facts that it rests on
	Waits  string    `json:"waits,omitempty"`  // why a repair is not due yet

	path   string // of the node that it is about
	czxid  int64
	needs  time.Duration // for how long it must have been seen
	change *change       // nil if there is nothing to do
}

// because adds a fact that the finding rests on.
func (f *Finding) because(format string, a ...any) {
	f.Why = append(f.Why, fmt.Sprintf(format, a...))
}

// key identifies a finding from one collect to the next.
func (f *Finding) key() string { return fmt.Sprintf("%s %s %d", f.Rule, f.path, f.czxid) }

// Actionable reports whether the finding has a repair.
func (f *Finding) Actionable() bool { return f.change != nil }

// mark is a node as it was examined, to be deleted.
type mark struct {
	path    string // below the job
	value   string
	czxid   int64
	version int32
	session int64
}

// making is a node to be created.
type making struct {
	path string
	data string
}

// change is a repair: one transaction, and the facts that it rests on, which
// are read again in the round trip before.
type change struct {
	deletes []mark
	creates []making
	gone    []string // IDs that must have no instance
	live    []string // IDs that must have one
	missing []string // nodes that must not be there
}

func markOf(s *Snapshot, path string) mark {
	n := s.at(path)
	return mark{path, n.Data, n.Stat.Czxid, n.Stat.Version, n.Stat.Session}
}
