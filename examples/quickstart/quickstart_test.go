package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

func TestQuickstart_LosesAndRepeatsNothing(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "quickstart")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var out bytes.Buffer
	cmd := exec.Command(binary)
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	t.Logf("took %s\n%s", time.Since(start).Round(time.Second), &out)
	if err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("got escape sequences, want none: the output is not a terminal")
	}
	for _, want := range []string{
		`b crashes while it runs shards? \d`,
		`takes over shard \d \(attempt 2, fence \d+\)`,
		`c drains`,
		`due +[1-9]\d`, `take-overs +[1-9]`, `lost +0 `, `double +0 `, `left over +0 `,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("got no %q in the output", want)
		}
	}
}

// times are three fires, two seconds apart.
var times = []time.Time{time.Unix(1000, 0), time.Unix(1002, 0), time.Unix(1004, 0)}

// good is a history of one shard in which b died and a took over.
func good() []run {
	a, b := &machine{name: "a"}, &machine{name: "b", off: true}
	at := func(ms int) time.Time { return times[0].Add(time.Duration(ms) * time.Millisecond) }
	return []run{
		{machine: a, fire: times[0], attempt: 1, fence: 1, began: at(0), ended: at(900), done: true},
		{machine: b, fire: times[1], attempt: 1, fence: 2, began: at(2000), ended: at(2400)},
		{machine: a, fire: times[1], attempt: 2, fence: 3, from: "b@1", began: at(4000), ended: at(4900), done: true},
		{machine: a, fire: times[2], attempt: 1, fence: 4, began: at(4901), ended: at(5800), done: true},
	}
}

func TestCount_AcceptsTakeOver(t *testing.T) {
	got := count(times, 1, good())
	if got.due != 3 || got.runs != 4 || got.takeOvers != 1 || got.fault() != nil {
		t.Errorf("got %+v, want 3 due, 4 runs, 1 take-over and nothing wrong", got)
	}
}

func TestCount_FindsDoctoredRuns(t *testing.T) {
	for _, row := range []struct {
		name   string
		doctor func(runs []run) []run
		lost   int
		double int
	}{
		{"a fire that did not run", func(r []run) []run { return r[:3] }, 1, 0},
		{"a take-over that was cut off, too", func(r []run) []run { r[2].done = false; return r }, 1, 0},
		{"a fire that was done on a second shard only", func(r []run) []run { r[3].shard = 1; return r }, 1, 0},
		{"a fire that was done twice", func(r []run) []run { r[1].done = true; return r }, 0, 1},
		{"a fire that was begun twice", func(r []run) []run { r[2].attempt = 1; return r }, 0, 1},
		{"two runs at a time", func(r []run) []run { r[2].began = r[1].began.Add(time.Millisecond); return r }, 0, 1},
		{"a run that never ended before the next began", func(r []run) []run { r[1].ended = time.Time{}; return r }, 0, 1},
		{"a fence that came twice", func(r []run) []run { r[2].fence = 2; return r }, 0, 1},
	} {
		got := count(times, 1, row.doctor(good()))
		if len(got.lost) != row.lost || len(got.double) != row.double {
			t.Errorf("%s: got %d lost and %d double, want %d and %d:\n%v", row.name, len(got.lost), len(got.double), row.lost, row.double, got.fault())
		}
		if got.fault() == nil {
			t.Errorf("%s: got no fault", row.name)
		}
	}
}

func TestLeftovers_AreAllButIdleRecords(t *testing.T) {
	const (
		idle    = `{"v":1,"state":"idle","fire":"1970-01-01T00:16:44Z","fence":4,"attempt":1,"result":"ok"}`
		behind  = `{"v":1,"state":"idle","fire":"1970-01-01T00:16:42Z","fence":3,"attempt":1,"result":"ok"}`
		lost    = `{"v":1,"state":"idle","fire":"1970-01-01T00:16:44Z","fence":4,"attempt":1,"result":"lost"}`
		running = `{"v":1,"state":"running","fire":"1970-01-01T00:16:44Z","fence":4,"attempt":1,"owner":"b@1"}`
	)
	entries := func() []store.Entry {
		all := []store.Entry{{Key: "jobs/report"}, {Key: "assignments/report"}}
		for _, shard := range []string{"0", "1", "2", "3", "4", "5"} {
			all = append(all, store.Entry{Key: "runs/report/" + shard, Value: []byte(idle)})
		}
		return all
	}
	if left := leftovers(entries(), times); len(left) != 0 {
		t.Errorf("got %q, want nothing", left)
	}
	for _, row := range []struct {
		name   string
		doctor func(all []store.Entry) []store.Entry
	}{
		{"a run of a dead instance", func(all []store.Entry) []store.Entry { all[4].Value = []byte(running); return all }},
		{"a run that was abandoned", func(all []store.Entry) []store.Entry { all[4].Value = []byte(lost); return all }},
		{"a shard that is behind", func(all []store.Entry) []store.Entry { all[4].Value = []byte(behind); return all }},
		{"no record", func(all []store.Entry) []store.Entry { return all[:7] }},
		{"an instance", func(all []store.Entry) []store.Entry { return append(all, store.Entry{Key: "instances/b@1"}) }},
	} {
		if left := leftovers(row.doctor(entries()), times); len(left) != 1 {
			t.Errorf("%s: got %q, want one leftover", row.name, left)
		}
	}
}
