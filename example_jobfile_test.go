package elastic_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
)

// Jobs can come from a file; a program adds each with its handler.
func ExampleLoadJobs() {
	path := filepath.Join(os.TempDir(), "elastic-example-jobs.yaml")
	defer os.Remove(path)
	err := os.WriteFile(path, []byte(`
jobs:
  - name: collect
    schedule: 0 0 3 * * ?
    timeZone: Asia/Shanghai
    shards: 3
    failover: true
    timeout: 90m
  - name: report
    after: [collect]
`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs, err := elastic.LoadJobs(path)
	for _, job := range jobs {
		fmt.Println(job.Name, job.Shards, job.After, job.Timeout)
	}
	fmt.Println(err)
	// Output:
	// collect 3 [] 1h30m0s
	// report 0 [collect] 0s
	// <nil>
}

// Values can be variables of the environment. What is wrong is told all at once, with its line and what was probably meant.
func ExampleReadJobs() {
	lookup := func(name string) (string, bool) { return "reports-eu", name == "BUCKET" }

	jobs, err := elastic.ReadJobs(strings.NewReader(`
jobs:
  - name: report
    schedule: "@daily"
    parameter: ${BUCKET}
    retries: ${RETRIES:-2}
`), lookup)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(jobs[0].Parameter, jobs[0].Retries)

	_, err = elastic.ReadJobs(strings.NewReader(`
jobs:
  - name: report
    schedule: "@daily"
    shard: 3
    retries: many
`), lookup)
	fmt.Println(err)
	// Output:
	// reports-eu 2
	// line 5: a job has no key "shard": did you mean "shards"?
	// line 6: retries: "many" is not a whole number in decimal digits; write one such as 3
}

// The schema is for editors, and for whatever else checks files before they are deployed.
func ExampleJobSchema() {
	var schema struct {
		Properties struct {
			Jobs struct{ Items struct{ Required []string } }
		}
	}
	fmt.Println(json.Unmarshal(elastic.JobSchema(), &schema))
	fmt.Println("a job needs:", schema.Properties.Jobs.Items.Required)
	// Output:
	// <nil>
	// a job needs: [name]
}

// All that is wrong with a job is told at once, before anything is written.
func ExampleJob_Validate() {
	fmt.Println(elastic.Job{Name: "report", Schedule: "0 0 3 31 2 ?", Shards: -1, Timeout: -time.Minute}.Validate())
	// Output:
	// job "report" is not valid:
	// shards: must be 1 to 10000, is -1
	// schedule: schedule "0 0 3 31 2 ?" never fires: no month or year that it names has such a day
	// timeout: must not be negative, is -1m0s
}
