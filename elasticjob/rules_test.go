package elasticjob

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files as the doctor sees their trees")

// The findings of each tree in testdata/doctor are those that its file has,
// once the tree has been seen for as long as a repair needs.
func TestExamine_FindsWhatTheTreesHave(t *testing.T) {
	files, err := filepath.Glob("testdata/doctor/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no trees", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			golden := readGolden(t, file)
			s := parseTree(t, golden["tree"])
			o := Options{Settle: 30 * time.Second, Zone: "UTC", Rerun: strings.Contains(golden["options"], "rerun")}
			got := told(examineLater(s, o, time.Hour))
			if *rewrite {
				golden["doctor"] = got
				writeGolden(t, file, golden)
			} else if want := golden["doctor"]; got != want {
				t.Errorf("findings:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func writeGolden(t *testing.T, file string, golden map[string]string) {
	t.Helper()
	text := golden[""]
	for _, name := range []string{"options", "tree", "doctor"} {
		if golden[name] != "" || name == "doctor" {
			text += "-- " + name + "\n" + golden[name]
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// examineLater shows a tree that has been as it is for some time.
func examineLater(s *Snapshot, o Options, watched time.Duration) []*Finding {
	before := &Snapshot{Job: s.Job, At: s.At.Add(-watched), Nodes: s.Nodes, Unread: s.Unread}
	seen := NewSeen()
	seen.Observe(before, before, true)
	Examine(before, seen, o)
	seen.Observe(s, s, true)
	return Examine(s, seen, o)
}

// One look is no proof that an owner is dead: Java deletes its own node and
// creates it again when it reconnects. A repair waits until the owner was
// absent for the time to settle without a break.
func TestExamine_OneLookProvesNothing(t *testing.T) {
	s := parseTree(t, readGolden(t, "testdata/doctor/all-down.txt")["tree"])
	o := Options{Settle: 30 * time.Second}
	waits := func(seen *Seen, after time.Duration) bool {
		later := &Snapshot{Job: s.Job, At: s.At.Add(after), Nodes: s.Nodes}
		seen.Observe(later, later, true)
		findings := Examine(later, seen, o)
		i := slices.IndexFunc(findings, func(f *Finding) bool { return f.Rule == DeadRunning })
		return findings[i].Waits != ""
	}
	for _, row := range []struct {
		name    string
		between func(*Seen)
		after   time.Duration
		want    bool
	}{
		{"at once", func(*Seen) {}, 0, true},
		{"before it settled", func(*Seen) {}, 29 * time.Second, true},
		{"settled", func(*Seen) {}, 30 * time.Second, false},
		{"its node came and went", func(s *Seen) { s.Came("10.0.0.1@-@2929") }, 30 * time.Second, true},
		{"contact was lost", (*Seen).Reset, 30 * time.Second, true},
	} {
		seen := NewSeen()
		waits(seen, 0)
		row.between(seen)
		if got := waits(seen, row.after); got != row.want {
			t.Errorf("%s: the repair waits: %v, want %v", row.name, got, row.want)
		}
	}
}

// An instance is absent only if both collects lack it. Its node can be created
// again between the two.
func TestExamine_BothCollectsCount(t *testing.T) {
	const owner = "10.0.0.1@-@2929"
	without := parseTree(t, readGolden(t, "testdata/doctor/all-down.txt")["tree"])
	with := &Snapshot{Job: without.Job, At: without.At, Nodes: maps.Clone(without.Nodes)}
	with.Nodes["instances/"+owner] = &Node{Data: owner}
	for _, row := range []struct {
		name          string
		first, second *Snapshot
		absent        bool
	}{
		{"neither shows it", without, without, true},
		{"the first shows it", with, without, false},
		{"the second shows it", without, with, false},
	} {
		seen := NewSeen()
		seen.Observe(row.first, row.second, false)
		if got := slices.Contains(seen.Absent(), owner); got != row.absent {
			t.Errorf("%s: absent %v, want %v", row.name, got, row.absent)
		}
	}
}

// A mark of a live owner is only called left when another mark of the same
// owner was made again twice beside it.
func TestExamine_LeftRunningNeedsProof(t *testing.T) {
	tree := func(kept, other string) *Snapshot {
		return parseTree(t, strings.NewReplacer("KEPT", kept, "OTHER", other).Replace(`now 2026-07-01T20:36:39Z
config
  cron: 0/10 * * * * ?
  failover: true
  monitorExecution: true
  shardingTotalCount: 2
instances/10.0.0.1@-@7 session=0x1 c=10 age=1h
servers/10.0.0.1 = ENABLED
sharding/0/instance = 10.0.0.1@-@7
sharding/0/running c=KEPT age=20s = 10.0.0.1@-@7
sharding/1/instance = 10.0.0.1@-@7
sharding/1/running c=OTHER age=1s = 10.0.0.1@-@7
`))
	}
	for _, row := range []struct {
		name  string
		trees []*Snapshot
		want  bool
	}{
		{"two marks of one execution", []*Snapshot{tree("20", "21"), tree("20", "21"), tree("20", "21")}, false},
		{"made again once", []*Snapshot{tree("20", "21"), tree("20", "31")}, false},
		{"made again twice", []*Snapshot{tree("20", "21"), tree("20", "31"), tree("20", "41")}, true},
		{"both made again", []*Snapshot{tree("20", "21"), tree("30", "31"), tree("40", "41")}, false},
	} {
		seen := NewSeen()
		var findings []*Finding
		for _, s := range row.trees {
			seen.Observe(s, s, true)
			findings = Examine(s, seen, Options{})
		}
		got := slices.ContainsFunc(findings, func(f *Finding) bool { return f.Rule == LeftRunning })
		if got != row.want {
			t.Errorf("%s: found %v, want %v:\n%s", row.name, got, row.want, told(findings))
		}
	}
}

// While the list of instances can't be read no owner is called dead.
func TestExamine_UnreadableInstancesJudgeNothing(t *testing.T) {
	s := parseTree(t, readGolden(t, "testdata/doctor/all-down.txt")["tree"])
	s.Unread = []Unread{{"instances", "the user may not read it"}}
	for _, f := range examineLater(s, Options{}, time.Hour) {
		if f.Actionable() {
			t.Errorf("%s is repaired: %s", f.Rule, f.What)
		}
	}
}

// A static job is not resharded, and a DISABLED server is never removed.
func TestExamine_LeavesOperatorsDecisions(t *testing.T) {
	for _, row := range []struct{ name, config, server string }{
		{"static", "staticSharding: true", "ENABLED"},
		{"disabled server", "jobName: demo", "DISABLED"},
	} {
		s := parseTree(t,
			"now 2026-07-01T20:36:39Z\nconfig\n  cron: 0/10 * * * * ?\n  shardingTotalCount: 1\n  "+row.config+
				"\nservers/10.0.0.9 age=1000h = "+row.server+
				"\nservers/10.0.0.1 = ENABLED\ninstances/10.0.0.1@-@1 session=0x1"+
				"\nsharding/0/instance = 10.0.0.1@-@1\n")
		if row.name == "static" {
			s.Nodes["sharding/0/instance"].Data = "10.0.0.9@-@1"
		}
		for _, f := range examineLater(s, Options{}, time.Hour) {
			if f.Rule == LostShard || f.Rule == OldServer && row.server == "DISABLED" {
				t.Errorf("%s: found %s", row.name, f.Rule)
			}
		}
	}
}
