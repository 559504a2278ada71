// Package status has the types of answers about a running fleet: which jobs
// there are, which instance owns a shard, what ran last, when the next fire is,
// and why nothing runs.
//
// [elastic.Scheduler] answers from the replica of its instance, package admin
// from the store. Both give the same types. They are plain data: the same in
// Go, in JSON and on the command line. Fields may be added in later versions.
//
// Times are UTC. A zero time means "none", and is left out of JSON.
//
// [elastic.Scheduler]: https://pkg.go.dev/github.com/elasticjob-go/elastic#Scheduler
package status

// Reason says why something is as it is.
type Reason struct {
	// Code names the reason for programs, in snake_case. It keeps its meaning
	// in later versions, which may add codes.
	Code string `json:"code"`

	// Args are the values of the reason by name. Their names depend on Code.
	Args map[string]string `json:"args,omitempty"`

	// Text is the reason in English. Its wording can change in any version.
	Text string `json:"text"`
}

// The codes of reasons beside those of package failover, which name decisions
// about shards. Words before a colon are the names of the arguments.
const (
	CodeUnreadable    = "unreadable"     // key: its value can't be read, and is left alone
	CodeNotAssigned   = "not_assigned"   // the job has no assignment yet, or an old one
	CodeNoInstance    = "no_instance"    // no live instance has the job
	CodeMissingLabels = "missing_labels" // requires: no live instance that has the job has these labels
	CodeNotPlaced     = "not_placed"     // each instance that has the job is draining, cordoned or has a wrong clock
	CodeOwnerGone     = "owner_gone"     // instance: the owner is gone, and the shard has no other yet
	CodeAwaitsJobs    = "awaits_jobs"    // jobs: the shard runs when these jobs have ended a fire
	CodeRunFailed     = "run_failed"     // shard, result: how its last run ended
	CodeNotInStore    = "not_in_store"   // the job was added here and is not in the store yet
	CodeNotRead       = "not_read"       // the record of the shard was not read
)
