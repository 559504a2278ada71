package jobfile_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
)

// Anchors, merges and keys with "x-" work. A job's own keys win over those that
// it merges.
func TestRead_Merges(t *testing.T) {
	jobs, err := read("\ufeff"+`
x-nightly: &nightly
  schedule: 0 0 3 * * ?
  timeZone: &zone GMT+8
  retries: 2
x-careful: &careful {retries: 5, failover: true, requires: &eu {zone: eu}}
jobs:
  - {<<: *nightly, name: a, retries: 1}
  - <<: [*nightly, *careful]
    name: b
  - name: c
    schedule: "@daily"
    timeZone: *zone
    requires: {<<: *eu, disk: ssd}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	eu := map[string]string{"zone": "eu"}
	want := []elastic.Job{
		{Name: "a", Schedule: "0 0 3 * * ?", TimeZone: "GMT+8", Retries: 1},
		{
			Name:     "b",
			Schedule: "0 0 3 * * ?",
			TimeZone: "GMT+8",
			Retries:  2,
			Failover: true,
			Requires: eu,
		},
		{Name: "c", Schedule: "@daily", TimeZone: "GMT+8", Requires: map[string]string{"zone": "eu", "disk": "ssd"}},
	}
	if !reflect.DeepEqual(jobs, want) {
		t.Errorf("got  %+v\nwant %+v", jobs, want)
	}
}

// The value of a variable is text, even if it looks like YAML.
func TestRead_VariablesAreText(t *testing.T) {
	const text = `
jobs:
  - name: a
    schedule: '@daily'
    shards: 2
    parameter: ${P}
    description: ${Q:-null}
    shardParameters: {0: "${P}", 1: x}
`
	values := []string{
		"null", "Null", "NULL", "~", "true", "010", "1.5",
		"{a: b}", "*x", "@daily", "- a", "# no", "2026-01-01", "!!int 3",
	}
	for _, value := range values {
		env := map[string]string{"P": value}
		jobs, err := read(text, env)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if j := jobs[0]; j.Parameter != value || j.ShardParameters[0] != value || j.Description != "null" {
			t.Errorf("%s: got %+v", value, j)
		}
		for _, key := range []string{"shards", "failover", "timeZone", "timeout", "start", "misfire"} {
			if value == "true" && key == "failover" {
				continue
			}
			text := "jobs:\n  - name: a\n    schedule: '@daily'\n    " + key + ": ${P}\n"
			if jobs, err := read(text, env); err == nil || strings.Contains(err.Error(), value) {
				t.Errorf("%s: %s: got %+v, %v", key, value, jobs, err)
			}
		}
	}
}

// A file can be JSON, and can have the line ends of Windows.
func TestRead_JSON(t *testing.T) {
	jobs, err := read(`{"jobs": [{"name": "a", "schedule": "@daily",`+"\r\n"+`
		"shards": 2, "failover": true, "timeout": "90s",
		"shardParameters": {"0": "x", "1": "null"}, "disabledShards": [1], "start": "2026-01-01T00:00:00+08:00"}]}`, nil)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("got %+v, %v", jobs, err)
	}
	want := elastic.Job{
		Name:            "a",
		Schedule:        "@daily",
		Start:           jobs[0].Start,
		Shards:          2,
		ShardParameters: map[int]string{0: "x", 1: "null"},
		Failover:        true,
		Timeout:         90 * time.Second,
		DisabledShards:  []int{1},
	}
	if !reflect.DeepEqual(jobs[0], want) || jobs[0].Start.IsZero() {
		t.Errorf("got  %+v\nwant %+v", jobs[0], want)
	}
}

// Of very many faults the first fifty by line are reported, and the number of
// the others.
func TestRead_ManyFaults(t *testing.T) {
	var b strings.Builder
	b.WriteString("jobs:\n")
	for range 100_000 {
		b.WriteString("- {shard: 3, retries: many, name: null}\n")
	}
	_, err := read(b.String(), nil)
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	sorted := strings.HasPrefix(lines[0], "line 2: ") && strings.HasPrefix(lines[min(49, len(lines)-1)], "line 18: ")
	if len(lines) != 51 || lines[50] != "and 299950 more faults" || !sorted {
		t.Errorf("%d lines, from %q to %q and %q", len(lines), lines[0], lines[max(0, len(lines)-2)], lines[len(lines)-1])
	}
	last := 0
	for _, line := range lines[:len(lines)-1] {
		var n int
		if _, err := fmt.Sscanf(line, "line %d: ", &n); err != nil || n < last {
			t.Errorf("%q after line %d", line, last)
		}
		last = n
	}
}

// Aliases of aliases cannot multiply the work without a bound.
func TestRead_AliasBombs(t *testing.T) {
	var deep strings.Builder
	deep.WriteString("x-0: &m0 {shards: 1}\n")
	for n := range 40 {
		fmt.Fprintf(&deep, "x-%d: &m%d {<<: [*m%d, *m%d, *m%d]}\n", n+1, n+1, n, n, n)
	}
	deep.WriteString("jobs:\n  - {<<: *m15, name: a, schedule: '@daily'}\n  - {<<: *m40, name: b, schedule: '@daily'}\n")
	wide := "x-p: &p {0: x" + strings.Repeat(", 1: x", 2000) + "}\n" +
		"jobs: [" + strings.Repeat("{name: a, shardParameters: *p},", 2000) + "]\n"
	laughs := "x-a: &a [x,x,x,x,x,x,x,x,x]\n" +
		"x-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" +
		"x-c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
		"jobs: [{name: a, after: *c}]\n"
	for name, text := range map[string]string{
		"merges in merges":        deep.String(),
		"many aliases of much":    wide,
		"a list that has itself":  "jobs: &a [*a]\n",
		"a merge that has itself": "jobs:\n  - &a {<<: *a, name: a, schedule: '@daily'}\n",
		"a billion laughs":        laughs,
		"deep lists":              "jobs: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
	} {
		if jobs, err := read(text, nil); err == nil {
			t.Errorf("%s: got %d jobs", name, len(jobs))
		}
	}
}

// The error for a file that is not UTF-8 names the line.
func TestRead_NotUTF8(t *testing.T) {
	_, err := read("jobs:\n  - name: a\n    schedule: '@daily'\n    parameter: \xd6\xd0\n", nil)
	if err == nil || err.Error() != "line 4: the file is not UTF-8; save it as UTF-8" {
		t.Errorf("got %v", err)
	}
	env := map[string]string{"P": "\xd6\xd0"}
	jobs, err := read("jobs:\n  - name: a\n    schedule: '@daily'\n    parameter: ${P}\n", env)
	if err == nil || !strings.Contains(err.Error(), "line 4: parameter: ") {
		t.Errorf("a variable: got %v, %v", jobs, err)
	}
}
