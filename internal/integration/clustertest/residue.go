package clustertest

import (
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Residue returns the faults in the content of a store whose instances have all
// left: keys other than specs, assignments, triggers of jobs that exist, and
// records of shards that exist; and what operators wrote. It ignores values
// that cannot be read, which tests have written.
func Residue(content []store.Entry) (faults []string) {
	shards := shardCounts(content)
	for _, e := range content {
		prefix, rest, _ := strings.Cut(e.Key, "/")
		switch prefix {
		case layout.Jobs, layout.Assignments, layout.Revisions, layout.Audits, layout.Cordons, layout.JobSets:
		case layout.Signals:
			if shards[rest] == 0 {
				faults = append(faults, fmt.Sprintf("at rest the store holds %s of a missing job", e.Key))
			}
		case "runs":
			job, _, _ := strings.Cut(rest, "/")
			shard, err := layout.ShardOf(e.Key)
			if err != nil {
				continue
			}
			r, err := failover.Decode(e.Value)
			if err == nil && shard >= shards[job] {
				faults = append(faults, fmt.Sprintf("at rest the store holds %s of a missing shard: %s", e.Key, r))
			}
		default:
			faults = append(faults, fmt.Sprintf("at rest the store holds %s = %s", e.Key, e.Value))
		}
	}
	return faults
}

// shardCounts returns the number of shards of each job whose spec can be read.
// A broadcast has the shards of its assignment.
func shardCounts(content []store.Entry) map[string]int {
	assigned := map[string]int{}
	for _, e := range content {
		if job, ok := strings.CutPrefix(e.Key, layout.Assignments+"/"); ok {
			if a, err := layout.DecodeAssignment(e.Value); err == nil {
				assigned[job] = len(a.Owners)
			}
		}
	}
	shards := map[string]int{}
	for _, e := range content {
		job, ok := strings.CutPrefix(e.Key, layout.Jobs+"/")
		if !ok {
			continue
		}
		spec, err := layout.DecodeSpec(e.Value)
		if err != nil {
			continue
		}
		shards[job] = spec.Shards
		if spec.Broadcast() {
			shards[job] = assigned[job]
		}
	}
	return shards
}
