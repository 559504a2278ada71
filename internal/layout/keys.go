// Package layout is what a namespace holds: its keys, and the documents below them.
//
// All documents are JSON with a version field, so that the store's own command line can show them. A document of another
// version, or one that does not parse, was not written by this program: it is reported and never overwritten.
package layout

import (
	"fmt"
	"strconv"
	"strings"
)

// The prefixes that every instance watches. The records below runs/ are where the writes are, and nobody but a shard's
// owner needs them, so they are not watched as a whole.
const (
	Instances   = "instances"
	Jobs        = "jobs"
	Assignments = "assignments"
	Signals     = "signals"
	runs        = "runs"
)

// InstanceKey is the ephemeral key of a live instance.
func InstanceKey(id string) string { return Instances + "/" + id }

// JobKey holds a job's spec.
func JobKey(job string) string { return Jobs + "/" + job }

// AssignmentKey holds which instance owns which shard of a job.
func AssignmentKey(job string) string { return Assignments + "/" + job }

// SignalsKey holds what people ask of a job beside its schedule.
func SignalsKey(job string) string { return Signals + "/" + job }

// RunsOf is the prefix of a job's records.
func RunsOf(job string) string { return runs + "/" + job }

// RunKey holds the record of one shard.
func RunKey(job string, shard int) string { return runs + "/" + job + "/" + strconv.Itoa(shard) }

// NameOf returns the name in a key of exactly the form prefix/NAME: the ID of an
// instance, the name of a job. Any other key below the prefix, such as
// jobs/backup/report, is not a key of this package, and false is returned.
func NameOf(prefix, key string) (name string, ok bool) {
	name, ok = strings.CutPrefix(key, prefix+"/")
	return name, ok && name != "" && !strings.Contains(name, "/")
}

// Prefix returns the first element of a key: what it is a key of.
func Prefix(key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix
}

// RunOf returns the job and the shard of a record's key, which has exactly the
// form runs/JOB/SHARD with a decimal number. Any other key is not a record's, and
// false is returned.
func RunOf(key string) (job string, shard int, ok bool) {
	rest, ok := strings.CutPrefix(key, runs+"/")
	if !ok {
		return "", 0, false
	}
	job, number, _ := strings.Cut(rest, "/")
	shard, err := strconv.Atoi(number)
	if err != nil || shard < 0 || job == "" || RunKey(job, shard) != key {
		return "", 0, false
	}
	return job, shard, true
}

// ShardOf returns the shard of a record's key; see RunOf.
func ShardOf(key string) (int, error) {
	_, shard, ok := RunOf(key)
	if !ok {
		return 0, fmt.Errorf("key %q: want runs/JOB/SHARD with the number of a shard", key)
	}
	return shard, nil
}
