package jobfile_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
)

const everyRun = `
x-backup: &backup {path: /usr/local/bin/backup, grace: 2s}
jobs:
  - name: backup
    schedule: "@daily"
    run:
      script:
        <<: *backup
        args: [--all, 8080, "${PASSWORD}"]
        dir: /var/lib/backup
        env: {MODE: fast, TOKEN: "${PASSWORD}"}
        maxOutput: 1024
  - name: report
    schedule: "@daily"
    run:
      http:
        method: POST
        url: https://reports.example.com/run/{shard}?of={total}&token=${PASSWORD}
        headers: {Authorization: "Bearer ${PASSWORD}", Content-Type: application/json}
        body: '{"shard": {shard}, "password": "${PASSWORD}"}'
        success: [200, 404]
        timeout: 2m
        connectTimeout: 1s
        maxResponse: 4096
        allow: [loopback, 10.1.0.0/16]
  - name: plain
    schedule: "@daily"
`

func readRuns(t *testing.T) []jobfile.Job {
	t.Helper()
	lookup := func(name string) (string, bool) { return "S3cr3t", name == "PASSWORD" }
	file, err := jobfile.Read(strings.NewReader(everyRun), lookup)
	if err != nil {
		t.Fatal(err)
	}
	return file.Jobs
}

// A file can set every field of a script and of a call that does not need code.
// The values are those that the packages of these handlers take.
func TestRun_SetsEveryField(t *testing.T) {
	jobs := readRuns(t)
	wantScript := &script.Script{
		Path:      "/usr/local/bin/backup",
		Args:      []string{"--all", "8080", "S3cr3t"},
		Dir:       "/var/lib/backup",
		AddEnv:    []string{"MODE=fast", "TOKEN=S3cr3t"},
		Grace:     2 * time.Second,
		MaxOutput: 1024,
	}
	if got := jobs[0].Run; got.HTTP != nil || !reflect.DeepEqual(got.Script, wantScript) {
		t.Errorf("got %#v, %#v", got, *got.Script)
	}
	wantHTTP := httpcall.Request{
		Method:         "POST",
		URL:            "https://reports.example.com/run/{shard}?of={total}&token=S3cr3t",
		Headers:        map[string]string{"Authorization": "Bearer S3cr3t", "Content-Type": "application/json"},
		Body:           `{"shard": {shard}, "password": "S3cr3t"}`,
		Timeout:        2 * time.Minute,
		ConnectTimeout: time.Second,
		MaxResponse:    4096,
		Allow:          append(httpcall.Loopback(), netip.MustParsePrefix("10.1.0.0/16")),
	}
	got := *jobs[1].Run.HTTP
	success := got.Success
	got.Success = nil
	if jobs[1].Run.Script != nil || !reflect.DeepEqual(got, wantHTTP) {
		t.Errorf("got %+v", got)
	}
	if err := success(httpcall.Response{Status: 404}); err != nil {
		t.Errorf("status 404: got %v", err)
	}
	const want = "the answer is 503 Service Unavailable, which is not one of [200 404]"
	if err := success(httpcall.Response{Status: 503}); err == nil || err.Error() != want {
		t.Errorf("status 503: got %v, want %s", err, want)
	}
	if jobs[2].Run != nil {
		t.Errorf("a job without run has %v", jobs[2].Run)
	}
	// A field that is added to one of the structs must be added to the file, or
	// here.
	needCode := map[string]bool{"Env": true, "Output": true, "TLS": true, "Header": true, "Variables": true}
	for _, v := range []any{*jobs[0].Run.Script, *jobs[1].Run.HTTP} {
		all := reflect.ValueOf(v)
		for i := range all.NumField() {
			if name := all.Type().Field(i).Name; all.Field(i).IsZero() && !needCode[name] {
				t.Errorf("%s.%s can't be set in a file", all.Type(), name)
			}
		}
	}
}

// A file that was read can be printed, logged and encoded without its secrets.
func TestRun_IsShownWithoutSecrets(t *testing.T) {
	for _, job := range readRuns(t) {
		for _, v := range []any{job, job.Run, &job, jobfile.File{Jobs: []jobfile.Job{job}}} {
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				if text := fmt.Sprintf(format, v); strings.Contains(text, "S3cr3t") {
					t.Errorf("%s of %T shows a secret: %s", format, v, text)
				}
			}
			if text, err := json.Marshal(v); err != nil || strings.Contains(string(text), "S3cr3t") {
				t.Errorf("JSON of %T shows a secret: %s (%v)", v, text, err)
			}
		}
	}
}

// Handlers can be made from what a file has, also where a variable of the
// environment is added.
func TestRun_MakesHandlers(t *testing.T) {
	const text = `
jobs:
  - {name: a, schedule: "@daily", run: {script: {path: go, env: {MODE: fast}}}}
  - {name: b, schedule: "@daily", run: {http: {url: "https://a.example/{key}"}}}
`
	file, err := jobfile.Read(strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := script.New(*file.Jobs[0].Run.Script); err != nil {
		t.Error(err)
	}
	if _, err := httpcall.New(*file.Jobs[1].Run.HTTP); err != nil {
		t.Error(err)
	}
}
