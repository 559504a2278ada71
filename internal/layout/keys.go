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

// Base returns the last segment of a key: the ID of an instance, the name of a job.
func Base(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// Prefix returns the first element of a key: what it is a key of.
func Prefix(key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix
}

// ShardOf returns the shard of a record's key.
func ShardOf(key string) (int, error) {
	text := Base(key)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("key %q: want the number of a shard at its end", key)
	}
	return n, nil
}
