package jobfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/jobfile"
)

// read returns the jobs of a file that has no "run".
func read(text string, env map[string]string) ([]elastic.Job, error) {
	file, err := jobfile.Read(strings.NewReader(text), func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	return jobsOf(file), err
}

func jobsOf(file *jobfile.File) (jobs []elastic.Job) {
	if file == nil {
		return nil
	}
	for _, job := range file.Jobs {
		jobs = append(jobs, job.Job)
	}
	return jobs
}

const everyKey = `
jobs:
  - name: report
    description: the nightly one
    schedule: 0 0 3 * * ?
    timeZone: Asia/Shanghai
    start: 2026-01-01T00:00:00Z
    end: 2099-01-01T00:00:00+08:00
    except: ["2026-12-25", SAT-SUN]
    jitter: 5m
    shards: 3
    parameter: p
    shardParameters: {0: Beijing, 1: Shanghai}
    sharding: average
    failover: true
    maxAttempts: 2
    misfire: skip
    misfireWindow: 10m
    overlap: replace
    timeout: 1h30m
    carryOn: 5m
    retries: 4
    retryDelay: 500ms
    retryMaxDelay: 10s
    maxConcurrent: 2
    requires: {zone: eu}
    disabledShards: [2]
    disabled: true
  - name: purge
    schedule: "@daily"
    broadcast: true
    unclaimed: true
  - name: mail
    after: [report]
    afterEnds: ended
`

// A file can set every field of a job.
func TestRead_SetsEveryField(t *testing.T) {
	jobs, err := read(everyKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []elastic.Job{{
		Name:            "report",
		Description:     "the nightly one",
		Schedule:        "0 0 3 * * ?",
		TimeZone:        "Asia/Shanghai",
		Start:           time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		End:             time.Date(2098, 12, 31, 16, 0, 0, 0, time.UTC),
		Except:          []string{"2026-12-25", "SAT-SUN"},
		Jitter:          5 * time.Minute,
		Shards:          3,
		Parameter:       "p",
		ShardParameters: map[int]string{0: "Beijing", 1: "Shanghai"},
		Sharding:        "average",
		Failover:        true,
		MaxAttempts:     2,
		Misfire:         elastic.MisfireSkip,
		MisfireWindow:   10 * time.Minute,
		Overlap:         elastic.OverlapReplace,
		Timeout:         90 * time.Minute,
		CarryOn:         5 * time.Minute,
		Retries:         4,
		RetryDelay:      500 * time.Millisecond,
		RetryMaxDelay:   10 * time.Second,
		MaxConcurrent:   2,
		Requires:        map[string]string{"zone": "eu"},
		DisabledShards:  []int{2},
		Disabled:        true,
	}, {
		Name:      "purge",
		Schedule:  "@daily",
		Broadcast: true,
		Unclaimed: true,
	}, {
		Name:      "mail",
		After:     []string{"report"},
		AfterEnds: elastic.AfterEnded,
	}}
	for i := range jobs {
		if jobs[i].End = jobs[i].End.UTC(); jobs[i].End.IsZero() {
			jobs[i].End = time.Time{}
		}
	}
	if !reflect.DeepEqual(jobs, want) {
		t.Errorf("got  %+v\nwant %+v", jobs, want)
	}
	// A field that is added to Job must be added to the file, and to this test.
	all := reflect.ValueOf(want[0])
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		ofOthers := []string{"Broadcast", "Unclaimed", "After", "AfterEnds"}
		if all.Field(i).IsZero() && !slices.Contains(ofOthers, name) {
			t.Errorf("Job.%s is not in the file", name)
		}
	}
}

// keysOf returns the keys of a job in the schema, such as "shards" and
// "run.script.path".
func keysOf(t *testing.T) []string {
	t.Helper()
	type object struct{ Properties map[string]json.RawMessage }
	var schema struct {
		Properties struct {
			Jobs struct{ Items object }
		}
	}
	if err := json.Unmarshal(jobfile.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	var add func(prefix string, properties map[string]json.RawMessage)
	add = func(prefix string, properties map[string]json.RawMessage) {
		for key, text := range properties {
			var inner object
			if err := json.Unmarshal(text, &inner); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, prefix+key)
			add(prefix+key+".", inner.Properties)
		}
	}
	add("", schema.Properties.Jobs.Items.Properties)
	return keys
}

// The keys of a job in a file are those of the stored job. "run" is never
// stored.
func TestRead_KeysAreThoseOfTheStore(t *testing.T) {
	keys := map[string]bool{"name": true, "broadcast": true, "run": true}
	for f := range reflect.TypeFor[layout.Spec]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys[name] = true
	}
	for _, own := range []string{"since", "resharded", "enabled", "enabledShards"} { // written by the engine
		delete(keys, own)
	}
	for _, key := range keysOf(t) {
		if strings.HasPrefix(key, "run.") {
			continue
		}
		if !keys[key] {
			t.Errorf("%s is a key of the file and not of the store", key)
		}
		delete(keys, key)
	}
	for key := range keys {
		t.Errorf("%s is a key of the store and not of the file", key)
	}
}

// Variables are replaced in values of every type, and cannot add keys.
func TestRead_ReplacesVariables(t *testing.T) {
	jobs, err := read(`
jobs:
  - name: ${NAME}-nightly
    schedule: ${WHEN:-0 3 * * *}
    shards: ${SHARDS}
    timeout: ${TIMEOUT:-90s}
    parameter: "$$5 and ${EVIL}"
    disabled: ${OFF:-false}
`, map[string]string{"NAME": "report", "SHARDS": "7", "EVIL": "x\n    shards: 9", "TIMEOUT": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := elastic.Job{
		Name:      "report-nightly",
		Schedule:  "0 3 * * *",
		Shards:    7,
		Timeout:   90 * time.Second,
		Parameter: "$5 and x\n    shards: 9",
	}
	if !reflect.DeepEqual(jobs[0], want) {
		t.Errorf("got  %+v\nwant %+v", jobs[0], want)
	}
}

// Faults name the line and say what to write, all in one error.
func TestRead_FaultsSayWhatToWrite(t *testing.T) {
	job := func(lines string) string {
		return "jobs:\n  - name: report\n    schedule: '@daily'\n    " + strings.ReplaceAll(lines, "\n", "\n    ")
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", `it must begin with "jobs:"`},
		{"no YAML", "jobs: [", "yaml"},
		{"no mapping", "- a", `line 1: the file must be keys with values`},
		{"no jobs", "{}", `there is no "jobs:"`},
		{"another key", "job: []", `line 1: the file has no key "job": did you mean "jobs"?`},
		{"jobs that are no list", "jobs: 3", `"jobs" must be a list`},
		{"a job that is text", "jobs: [report]", `line 1: a job must be keys with values, such as "name: …"`},
		{"a key misspelt", job("shard: 3"), `line 4: a job has no key "shard": did you mean "shards"?`},
		{"a key of another case", job("TimeZone: UTC"), `did you mean "timeZone"?`},
		{"a key of another tool", job("concurrencyPolicy: Forbid"), `a job has no key "concurrencyPolicy": the keys are name, `},
		{"a key twice", job("shards: 1\nshards: 2"), `line 5: a job: the key "shards" is there already, on line 4`},
		{"a number that is none", job("shards: many"), `line 4: shards: "many" is not a whole number`},
		{"a duration without a unit", job("shards: 2\ntimeout: 90"), `line 5: timeout: "90" has no unit; write 90s`},
		{"a truth that is none", job("failover: perhaps"), `line 4: failover: "perhaps" is not true or false`},
		{"a variable that is not set", job("parameter: ${MISSING}"), "line 4: parameter: the variable MISSING is not set"},
		{"a variable without a name", job("parameter: ${:-x}"), "names no variable"},
		{"a brace that is open", job(`parameter: "${A"`), "no closing brace"},
		{"a dollar sign", job("parameter: $HOME"), "write ${NAME} for a variable, $$ for a dollar sign"},
		{"a job that is not valid", job("shards: -1"), "shards: must be 1 to 10000, is -1"},
		{"two of one name", job("shards: 1\n") + "\n  - {name: report, schedule: '@daily'}", `job "report" is there already, on line 2`},
	} {
		jobs, err := read(tt.text, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v and %v, want an error with %q", tt.name, jobs, err, tt.want)
		}
	}
	_, err := read(job("shard: 3\nfailovr: true\ntimeout: ${MISSING}"), nil)
	for _, want := range []string{"line 4", "line 5", "line 6"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("all faults are told at once: %v lacks %q", err, want)
		}
	}
}

// Load reads a file with the variables of the environment. Its errors name the
// file.
func TestLoad_ReadsAFile(t *testing.T) {
	t.Setenv("REPORT_SHARDS", "4")
	path := filepath.Join(t.TempDir(), "jobs.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("jobs: [{name: report, schedule: '@daily', shards: '${REPORT_SHARDS}'}]")
	const want = `: line 1: shards: "${REPORT_SHARDS}" is text; write a whole number such as 3 without quotes`
	if _, err := jobfile.Load(path); err == nil || err.Error() != path+want {
		t.Errorf("a quoted number is text: got %v, want %s", err, want)
	}
	write("jobs:\n  - name: report\n    schedule: '@daily'\n    shards: ${REPORT_SHARDS}\n")
	if file, err := jobfile.Load(path); err != nil || len(file.Jobs) != 1 || file.Jobs[0].Shards != 4 {
		t.Errorf("got %+v, %v; want one job with 4 shards", file, err)
	}
	if _, err := jobfile.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: got %v", err)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the files that are made from the code again")

// docs/jobs.schema.json is the schema, and each key in it has a description.
func TestSchema_IsInTheDocs(t *testing.T) {
	const path = "../docs/jobs.schema.json"
	if *rewrite {
		if err := os.WriteFile(path, jobfile.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(text, jobfile.Schema()) {
		t.Errorf("%s is out of date (%v): cd jobfile && go test -run Schema . -rewrite", path, err)
	}
	if bytes.Contains(jobfile.Schema(), []byte(`"description": ""`)) {
		t.Error("a key has no description")
	}
}

// A file that is read has valid jobs, whatever its text is.
func FuzzRead(f *testing.F) {
	f.Add(everyKey)
	f.Add("jobs: [{name: a, schedule: '@every 1s', parameter: '${A:-$$}'}]")
	f.Add("jobs: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		jobs, err := read(text, map[string]string{"A": "x"})
		if err != nil {
			return
		}
		for _, j := range jobs {
			if err := j.Validate(); err != nil && !strings.Contains(err.Error(), "sharding strategy") {
				t.Errorf("%q is read as a job that is not valid: %v", text, err)
			}
		}
	})
}

// docs/guide/jobs.md names every key.
func TestDocs_NameEveryKey(t *testing.T) {
	page, err := os.ReadFile("../docs/guide/jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(t) {
		if !bytes.Contains(page, []byte("`"+key+"`")) && key != "run.script" && key != "run.http" {
			t.Errorf("docs/guide/jobs.md lacks the key %s", key)
		}
	}
}

// Each job file on a page of the guide can be read.
func TestDocs_ExamplesCanBeRead(t *testing.T) {
	pages, err := filepath.Glob("../docs/guide/*.md")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"REPORTS_TOKEN": "x"}
	examples := 0
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
			if !regexp.MustCompile(`(?m)^jobs:`).Match(m[1]) {
				continue
			}
			examples++
			if _, err := read(string(m[1]), env); err != nil {
				t.Errorf("%s: %v\n%s", name, err, m[1])
			}
		}
	}
	if examples < 5 {
		t.Errorf("got %d examples, want at least 5: the pattern finds too few", examples)
	}
}

// Each line of an error of Load names the file.
func TestLoad_EachFaultNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.yaml")
	text := "jobs:\n  - {nam: a, shards: x}\n  - {name: b, schedule: 0 0 3 * *}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := jobfile.Load(path)
	if err == nil {
		t.Fatal("got no error")
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, path+": line ") {
			t.Errorf("%q does not name the file and the line", line)
		}
	}
}
