package layout

import (
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// Kind is one kind of key that a namespace holds. Table has all of them.
type Kind struct {
	Prefix    string // the first element of its keys
	Form      string // such as "runs/{job}/{shard}"
	Depth     int    // elements of a key
	Ephemeral bool   // the key ends with the session of the instance that it names
	OfJob     bool   // its second element is the name of a job, and it goes with that job
	Watched   bool   // every instance watches it, and keeps a replica
	Bound     int    // bytes of one value at most

	Content  string // what the value holds
	Lifetime string // when the key goes
	Writer   string // who writes it, and what that transaction compares
	Reader   string // who reads it
	Size     string // what bounds the number and the size of its keys in practice

	fits func(key string) bool
}

// Table is every kind of key in a namespace. The checker, the tests of what is
// left at rest, and the page docs/design/keys.md read it.
//
// In the texts, "me" is the condition that the writer's instances/{id} exists,
// and "At" that the written key has the version that was read. Every write
// below the name of a job compares the version of jobs/{job} besides, but for
// the ends of runs: these must work whatever the job has become.
var Table = []Kind{
	{
		Prefix:    Instances,
		Form:      Instances + "/{id}",
		Depth:     2,
		Ephemeral: true,
		Watched:   true,
		Bound:     MaxInstance,
		Content:   "name, host, process, labels, weight, state, the sets of its jobs, its level",
		Lifetime:  "ephemeral",
		Writer:    "itself: create, with a Set of each header of a set that is new to it; later At. To evict it: At, with its other two keys",
		Reader:    "all watch",
		Size:      "one an instance; mostly below 1 KiB, written when state or sets change",
		fits:      named(Instances, CheckID),
	},
	{
		Prefix:    Heartbeats,
		Form:      Heartbeats + "/{id}",
		Depth:     2,
		Ephemeral: true,
		Bound:     2 << 10,
		Content:   "a counter, its clock, and counts for people",
		Lifetime:  "ephemeral",
		Writer:    "itself once a resync period: me",
		Reader:    "no instance watches it; the three oldest list it once a resync period, a console each 15 s",
		Size:      "one an instance; mostly below 400 bytes",
		fits:      named(Heartbeats, CheckID),
	},
	{
		Prefix:    Clocks,
		Form:      Clocks + "/{id}",
		Depth:     2,
		Ephemeral: true,
		Watched:   true,
		Bound:     256,
		Content:   "its clock and the counter of its heartbeat",
		Lifetime:  "ephemeral",
		Writer:    "the nine oldest, with their heartbeats; the three oldest also at once for an instance that is new: me",
		Reader:    "all watch",
		Size:      "nine, and those that were among the nine oldest or suspected their own clock",
		fits:      named(Clocks, CheckID),
	},
	{
		Prefix:   JobSets,
		Form:     JobSets + "/{hash}/{n}",
		Depth:    3,
		Bound:    MaxPart + 64,
		Content:  "n = 0: a header with the number of parts; n > 0: names of jobs, sorted",
		Lifetime: "while an instance names the hash; then swept",
		Writer:   "the first instance that needs it: create, the header last. Each that begins to name it: Set of the header. Sweeper: me, At the header",
		Reader:   "no instance watches it; each reads a set once",
		Size:     "one set a program, and one for each change of its jobs, up to 32 an instance",
		fits:     func(key string) bool { _, _, ok := SetOf(key); return ok },
	},
	{
		Prefix:   Jobs,
		Form:     Jobs + "/{job}",
		Depth:    2,
		OfJob:    true,
		Watched:  true,
		Bound:    MaxDocument,
		Content:  "state, revision, who changed it, the spec, the floor of fences",
		Lifetime: "persistent; a tombstone 7 days, and until all else of the job is swept",
		Writer:   "an instance that has the job: create; Overwrite and operators: At. Sweeper, a tombstone: me, At",
		Reader:   "all watch",
		Size:     "one a job; a spec has at most 240 KiB and mostly below 1",
		fits:     named(Jobs, CheckName),
	},
	{
		Prefix:   Assignments,
		Form:     Assignments + "/{job}",
		Depth:    2,
		OfJob:    true,
		Watched:  true,
		Bound:    MaxDocument,
		Content:  "epoch, strategy, owners, surplus, floor of fences",
		Lifetime: "goes with the job",
		Writer:   "the leader of the job: me, At(jobs/{job}) or with its create, At",
		Reader:   "all watch",
		Size:     "one a job; 10,000 shards on 1,000 instances take 256 KiB, mostly below 1",
		fits:     named(Assignments, CheckName),
	},
	{
		Prefix:   Signals,
		Form:     Signals + "/{job}",
		Depth:    2,
		OfJob:    true,
		Watched:  true,
		Bound:    MaxSignals,
		Content:  "up to 20 triggers and 20 cancels",
		Lifetime: "from the first trigger or cancel on; goes with the job",
		Writer:   "operators, and of a broadcast the leader: At(jobs/{job}), At or create",
		Reader:   "all watch",
		Size:     "mostly absent",
		fits:     named(Signals, CheckName),
	},
	{
		Prefix:   Cordons,
		Form:     Cordons + "/{name}, {id} or " + Namespace,
		Depth:    2,
		Watched:  true,
		Bound:    4 << 10,
		Content:  "an action (cordon, drain, leave, pause or none), for whom, by whom and why",
		Lifetime: "until lifted, and an hour; that of an ID until the instance is gone",
		Writer:   "operators: At or create. Sweeper: me, At",
		Reader:   "all watch",
		Size:     "up to 1,000 of 512 bytes",
		fits:     named(Cordons, checkCordoned),
	},
	{
		Prefix:   Runs,
		Form:     Runs + "/{job}/{shard}",
		Depth:    3,
		OfJob:    true,
		Bound:    64 << 10,
		Content:  "the record of a shard",
		Lifetime: "persistent, one a shard; goes with the shard",
		Writer:   "the owner, as the table of transitions says; the leader deletes those of shards that are no more",
		Reader:   "the owner reads it; an owner that is blocked watches those of its job; a console may watch all",
		Size:     "one a shard; mostly 300 bytes",
		fits:     func(key string) bool { _, _, ok := RunOf(key); return ok },
	},
	{
		Prefix:   Revisions,
		Form:     Revisions + "/{job}/{revision mod 8}",
		Depth:    3,
		OfJob:    true,
		Bound:    MaxDocument,
		Content:  "the document of the job that a write replaced",
		Lifetime: "goes with the job",
		Writer:   "the writer that replaces a spec, in the same transaction: At(jobs/{job})",
		Reader:   "no instance watches it; operators list it",
		Size:     "up to 8 a job; a job that never changed has none",
		fits:     isRevision,
	},
	{
		Prefix:   Audits,
		Form:     Audits + "/{uuid of version 7}",
		Depth:    2,
		Bound:    MaxAudit,
		Content:  "an act of an operator, its target, by whom, why, and what it changed",
		Lifetime: "24 hours, then among the newest 1,000, at most 90 days",
		Writer:   "the writer of the act, in the same transaction: create. Sweeper: delete",
		Reader:   "no instance watches it; operators list it",
		Size:     "up to 20,000, mostly below 1 KiB",
		fits:     func(key string) bool { _, ok := AuditID(key); return ok },
	},
}

// MaxInstance is how many bytes the key of an instance has at most.
const MaxInstance = 4 << 10

// KindOf returns the kind of a key, or nil if the key is none of this
// package's.
func KindOf(key string) *Kind {
	prefix := Prefix(key)
	for i := range Table {
		if k := &Table[i]; k.Prefix == prefix && k.fits(key) && store.CheckKey(key) == nil {
			return k
		}
	}
	return nil
}

// JobOf returns the job that a key belongs to and goes with; false if the key
// belongs to none.
func JobOf(key string) (job string, ok bool) {
	k := KindOf(key)
	if k == nil || !k.OfJob {
		return "", false
	}
	rest := key[len(k.Prefix)+1:]
	return Prefix(rest), true
}

// Watched returns the prefixes of which every instance keeps a replica.
func Watched() (prefixes []string) {
	for _, k := range Table {
		if k.Watched {
			prefixes = append(prefixes, k.Prefix)
		}
	}
	return prefixes
}

// named returns a function that reports whether a key has the form prefix/NAME
// with a name that check takes.
func named(prefix string, check func(string) error) func(string) bool {
	return func(key string) bool {
		name, ok := NameOf(prefix, key)
		return ok && check(name) == nil
	}
}

// checkCordoned returns an error unless name can be that in a cordon's key.
func checkCordoned(name string) error {
	if name == Namespace {
		return nil
	}
	return CheckID(name)
}

// isRevision reports whether a key is that of a replaced revision.
func isRevision(key string) bool {
	rest, _ := strings.CutPrefix(key, Revisions+"/")
	job, number, _ := strings.Cut(rest, "/")
	rev, err := strconv.ParseUint(number, 10, 64)
	return err == nil && CheckName(job) == nil && RevisionKey(job, rev) == key && rev < keptRevisions
}
