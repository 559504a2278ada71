package jobfile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// A program reads its jobs from a file, and adds each with its handler.
func ExampleLoad() {
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
	file, err := jobfile.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, job := range file.Jobs {
		fmt.Println(job.Name, job.Shards, job.After, job.Timeout)
	}
	// Output:
	// collect 3 [] 1h30m0s
	// report 0 [collect] 0s
}

// Values can have variables. One error reports all faults, with their lines and
// the keys that were probably meant.
func ExampleRead() {
	lookup := func(name string) (string, bool) { return "reports-eu", name == "BUCKET" }

	file, err := jobfile.Read(strings.NewReader(`
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
	fmt.Println(file.Jobs[0].Parameter, file.Jobs[0].Retries)

	_, err = jobfile.Read(strings.NewReader(`
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

// A job of a file is added with the handler for its name.
func ExampleJob() {
	file, err := jobfile.Read(strings.NewReader(`jobs: [{name: report, schedule: "@daily"}]`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	handlers := map[string]elastic.Handler{
		"report": elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }),
	}
	scheduler, err := elastic.Open(context.Background(), "memory://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer scheduler.Close()

	add := func(job jobfile.Job) error { return scheduler.Add(job.Job, handlers[job.Name]) }
	fmt.Println(add(file.Jobs[0]))
	// Output:
	// <nil>
}

// Editors use the schema, and so can a check before a file is deployed.
func ExampleSchema() {
	var schema struct {
		Properties struct {
			Jobs struct{ Items struct{ Required []string } }
		}
	}
	fmt.Println(json.Unmarshal(jobfile.Schema(), &schema))
	fmt.Println("a job needs:", schema.Properties.Jobs.Items.Required)
	// Output:
	// <nil>
	// a job needs: [name]
}

// A file can also have the work of a job. The program makes the handler from
// it.
func ExampleRun() {
	file, err := jobfile.Read(strings.NewReader(`
jobs:
  - name: backup
    schedule: "@daily"
    run:
      script: {path: go, args: [version]}
  - name: report
    schedule: "@daily"
    run:
      http: {method: POST, url: "https://reports.example.com/run/{shard}"}
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := func(run *jobfile.Run) (elastic.Handler, error) {
		if run.Script != nil {
			return script.New(*run.Script)
		}
		return httpcall.New(*run.HTTP)
	}
	for _, job := range file.Jobs {
		_, err := handler(job.Run)
		fmt.Println(job.Name, err)
	}
	// Output:
	// backup <nil>
	// report <nil>
}
