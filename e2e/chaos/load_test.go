package chaos

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/elasticjob-go/elastic"
)

// load describes the jobs of a fleet.
type load struct {
	places, jobs, shards int
	schedule             string
	work                 time.Duration
	ttl                  time.Duration // zero: the kind's
	drain                time.Duration // zero: longer than any work
	nodes                int           // zero: as the flag says
	varied               bool          // jobs differ in their policies; else every fire must complete, whatever happens
	skew                 time.Duration // by how much clocks will be wrong
	args                 []string      // more, for every worker
	environment          []string
}

// whole is the load of a mix: 5 instances, 20 jobs of 4 shards.
var whole = load{
	places:   5,
	jobs:     20,
	shards:   4,
	schedule: "0/2 * * * * ?",
	work:     700 * time.Millisecond,
	varied:   true,
	skew:     skew,
}

// small is the load of a row.
var small = load{
	places:   3,
	jobs:     4,
	shards:   4,
	schedule: "* * * * * ?",
	work:     300 * time.Millisecond,
}

// list returns the jobs of the load.
func (l load) list() (all []elastic.Job) {
	for i := range l.jobs {
		j := elastic.Job{
			Name:        fmt.Sprintf("job-%d", i),
			Schedule:    l.schedule,
			Shards:      l.shards,
			Failover:    true,
			MaxAttempts: 100,
			Misfire:     elastic.MisfireAll,
		}
		switch {
		case !l.varied:
		case i%5 == 2:
			j.Misfire = elastic.MisfireOnce
		case i%5 == 3:
			j.Misfire = elastic.MisfireSkip
		case i%10 == 4:
			j.Failover = false
		}
		all = append(all, j)
	}
	return all
}

// prepare writes the job file of the workers.
func (f *fleet) prepare() {
	f.t.Helper()
	text := "jobs:\n"
	for _, j := range f.jobs {
		text += fmt.Sprintf("  - {name: %s, schedule: %q, shards: %d, failover: %t, maxAttempts: %d, misfire: %s}\n",
			j.Name, j.Schedule, j.Shards, j.Failover, j.MaxAttempts, j.Misfire)
	}
	file := filepath.Join(f.Dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.args = append([]string{
		"-jobs", file, "-work", f.load.work.String(), "-ttl", f.load.ttl.String(),
		"-drain", cmp.Or(f.load.drain, patience/4).String(),
		"-out", f.Journal, "-fenced", f.resource.URL(), "-log-level", "info",
	}, f.load.args...)
	if f.kind.alone() {
		f.args = append(f.args, "-schedulers", fmt.Sprint(f.load.places))
	}
}
