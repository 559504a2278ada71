// Package layout is what a namespace holds: its keys, and the documents below
// them.
//
// All documents are JSON with a version field, so that the store's own command
// line can show them. A document of another version, or one that does not
// parse, was not written by this program: it is reported and never overwritten.
package layout

import (
	"fmt"
	"strconv"
	"strings"
)

// The first elements of keys. Table has what each is for.
const (
	Instances   = "instances"
	Heartbeats  = "heartbeats"
	Clocks      = "clocks"
	JobSets     = "jobsets"
	Jobs        = "jobs"
	Assignments = "assignments"
	Signals     = "signals"
	Cordons     = "cordons"
	Runs        = "runs"
	Revisions   = "revisions"
	Audits      = "audit"
)

// InstanceKey is the ephemeral key of a live instance.
func InstanceKey(id string) string { return Instances + "/" + id }

// HeartbeatKey is the ephemeral key of a live instance's heartbeat.
func HeartbeatKey(id string) string { return Heartbeats + "/" + id }

// ClockKey is the ephemeral key of the clock of one of the oldest instances.
func ClockKey(id string) string { return Clocks + "/" + id }

// SetKey holds a part of a set of jobs, and the header of the set where the
// part is 0.
func SetKey(hash string, part int) string { return SetsOf(hash) + "/" + strconv.Itoa(part) }

// SetsOf is the prefix of the keys of one set of jobs.
func SetsOf(hash string) string { return JobSets + "/" + hash }

// JobKey holds a job: its spec, or its tombstone.
func JobKey(job string) string { return Jobs + "/" + job }

// AssignmentKey holds which instance owns which shard of a job.
func AssignmentKey(job string) string { return Assignments + "/" + job }

// SignalsKey holds what people ask of a job beside its schedule.
func SignalsKey(job string) string { return Signals + "/" + job }

// CordonKey holds an operator's wish about the instances of a name, of a host,
// with an ID, or with Namespace about all.
func CordonKey(name string) string { return Cordons + "/" + name }

// RevisionsOf is the prefix of the replaced revisions of a job.
func RevisionsOf(job string) string { return Revisions + "/" + job }

// AuditKey holds the receipt of an operator's act. The ID is a UUID of version
// 7, so that keys are in the order of time.
func AuditKey(id string) string { return Audits + "/" + id }

// RunsOf is the prefix of a job's records.
func RunsOf(job string) string { return Runs + "/" + job }

// RunKey holds the record of one shard.
func RunKey(job string, shard int) string { return Runs + "/" + job + "/" + strconv.Itoa(shard) }

// NameOf returns the name in a key of exactly the form prefix/NAME: the ID of
// an instance, the name of a job. Any other key below the prefix, such as
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
// form runs/JOB/SHARD with a decimal number. Any other key is not a record's,
// and false is returned.
func RunOf(key string) (job string, shard int, ok bool) {
	rest, ok := strings.CutPrefix(key, Runs+"/")
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
