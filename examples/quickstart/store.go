package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/store"
)

// fires returns the times at which the job was due up to end, counted from the
// moment at which the job was stored.
func fires(entries []store.Entry, end time.Time) (due []time.Time) {
	i := slices.IndexFunc(entries, func(e store.Entry) bool { return e.Key == "jobs/"+job.Name })
	if i < 0 {
		return nil
	}
	var stored struct {
		Spec struct{ Since time.Time }
	}
	if err := json.Unmarshal(entries[i].Value, &stored); err != nil {
		panic(err) // this program wrote it
	}
	schedule, err := cron.Parse(job.Schedule, time.UTC)
	if err != nil {
		panic(err)
	}
	for at := schedule.Next(stored.Spec.Since); !at.After(end); at = schedule.Next(at) {
		due = append(due, at)
	}
	return due
}

// leftovers returns the keys that a store must not hold after all instances have
// left. It may hold the job, its assignment, the names of the program's jobs, and
// one idle record for each shard, of the last due fire.
func leftovers(entries []store.Entry, due []time.Time) (left []string) {
	records := 0
	for _, e := range entries {
		switch {
		case e.Key == "jobs/"+job.Name, e.Key == "assignments/"+job.Name, strings.HasPrefix(e.Key, "jobsets/"):
		case strings.HasPrefix(e.Key, "runs/"+job.Name+"/"):
			records++
			r, err := failover.Decode(e.Value)
			if err != nil || r.State != failover.StateIdle || r.Result != failover.ResultSucceeded || !r.Fire.Equal(due[len(due)-1]) {
				left = append(left, fmt.Sprintf("left over: %s: %s", e.Key, e.Value))
			}
		default:
			left = append(left, "left over: "+e.Key)
		}
	}
	if records != job.Shards {
		left = append(left, fmt.Sprintf("left over: %d records of %d shards", records, job.Shards))
	}
	return left
}
