package elasticjob

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/elasticjob-go/elastic/store"
)

var importedAt = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// importTrees imports the trees of a golden file.
func importTrees(t *testing.T, golden map[string]string, o ImportOptions) *Import {
	t.Helper()
	var names []string
	for section := range golden {
		if name, ok := strings.CutPrefix(section, "tree "); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []*Snapshot
	for _, name := range names {
		s := parseTree(t, golden["tree "+name])
		s.Job = name
		list = append(list, s)
	}
	o.Now, o.Horizon = importedAt, 7*24*time.Hour
	i, err := ImportJobs(list, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func reported(i *Import) string {
	var b strings.Builder
	for _, r := range i.Remarks {
		fmt.Fprintf(&b, "%s %s, %s: %s\n", r.Job, r.What, r.Fidelity, r.Text)
	}
	for _, c := range i.Checks {
		fmt.Fprintf(&b, "%s in %s: %d fires, %s to %s\n", c.Expr, c.Zone, c.Count, c.First.Format(time.RFC3339),
			c.Last.Format(time.RFC3339))
	}
	return b.String()
}

// Each tree of testdata/import gives the file and the report beside it, and the
// strict reader of job files takes the file as it is, without any variable set.
func TestImport_FilesAndReports(t *testing.T) {
	const dir = "testdata/import/"
	for _, row := range []struct {
		name string
		o    ImportOptions
	}{
		{"everything", ImportOptions{Zone: "Asia/Shanghai", Rename: map[string]string{"報告": "report"}}},
		{"old", ImportOptions{Zone: "Europe/Berlin", Unclaimed: true}},
	} {
		i := importTrees(t, readGolden(t, dir+row.name+".txt"), row.o)
		file, err := i.File()
		if err != nil {
			t.Fatal(err)
		}
		if *rewrite {
			os.WriteFile(dir+row.name+".yaml", file, 0o644)
			os.WriteFile(dir+row.name+".report", []byte(reported(i)), 0o644)
		}
		want, _ := os.ReadFile(dir + row.name + ".yaml")
		if string(file) != string(want) {
			t.Errorf("%s: the file is\n%s\nwant\n%s", row.name, file, want)
		}
		want, _ = os.ReadFile(dir + row.name + ".report")
		if got := reported(i); got != string(want) {
			t.Errorf("%s: the report is\n%s\nwant\n%s", row.name, got, want)
		}
		read, err := jobfile.Read(bytes.NewReader(file), nil)
		if err != nil {
			t.Errorf("%s: the strict reader: %v\n%s", row.name, err, file)
			continue
		}
		for n, j := range read.Jobs {
			if got, want := fmt.Sprintf("%+v", j.Job), fmt.Sprintf("%+v", i.Jobs[n].Job); got != want {
				t.Errorf("%s: read back\n%s\nwant\n%s", row.name, got, want)
			}
			if !j.Disabled {
				t.Errorf("%s: %s is enabled", row.name, j.Name)
			}
		}
		if strings.Contains(string(file)+reported(i), "hunter2") {
			t.Errorf("%s: a secret is in the file or the report", row.name)
		}
	}
}

// Bad options are refused: an unknown zone, a zone that is needed and missing,
// and a new name for a job that is not there.
func TestImport_RefusesBadOptions(t *testing.T) {
	s := parseTree(t, "now 2026-07-01T12:00:00Z\nconfig\n  cron: 0 0 3 * * ?\n  shardingTotalCount: 1\n")
	for _, o := range []ImportOptions{{}, {Zone: "Mars"}, {Zone: "UTC", Rename: map[string]string{"x": "y"}}} {
		if _, err := ImportJobs([]*Snapshot{s}, o); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", o, err)
		}
	}
}

// Two jobs that would have one name are not merged.
func TestImport_NamesStayUnique(t *testing.T) {
	tree := "now 2026-07-01T12:00:00Z\nconfig\n  shardingTotalCount: 1\n"
	a, b := parseTree(t, tree), parseTree(t, tree)
	a.Job, b.Job = "a", "b"
	i, err := ImportJobs([]*Snapshot{a, b}, ImportOptions{Rename: map[string]string{"b": "a"}, Now: importedAt})
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Jobs) != 1 ||
		!slices.ContainsFunc(i.Remarks, func(r Remark) bool { return r.Job == "b" && r.Fidelity == Cannot }) {
		t.Errorf("imported %d jobs\n%s", len(i.Jobs), reported(i))
	}
}

// A result of Quartz that agrees gives no difference; another gives its dates.
func TestCompare_ShowsDates(t *testing.T) {
	const tree = "now 2026-07-01T12:00:00Z\nconfig\n" +
		"  cron: 0 0 3 * * ?\n  shardingTotalCount: 1\n  timeZone: GMT+08:00\n"
	i := importTrees(t, map[string]string{"tree j": tree}, ImportOptions{})
	c := i.Checks[0]
	var days []string
	for day, sum := range c.days {
		days = append(days, fmt.Sprintf("%d:%x", day, sum))
	}
	line := func(sha string, days []string) string {
		return strings.TrimSuffix(QuartzInput(i.Checks), "\n") + fmt.Sprintf("\t%d\t%d\t%d\t%s\t%s\n", c.Count,
			c.First.Unix(), c.Last.Unix(), sha, strings.Join(days, ","))
	}
	if from, until, err := Horizon(line("", nil)); err != nil || !from.Equal(c.From) || !until.Equal(c.Until) {
		t.Errorf("the horizon is %v to %v (%v), want %v to %v", from, until, err, c.From, c.Until)
	}
	for _, row := range []struct{ name, result, want string }{
		{"same", line(c.SHA256, days), ""},
		{"a day less", line("other", days[1:]), "2026-07-01 (UTC)"},
		{"refused", strings.TrimSuffix(QuartzInput(i.Checks), "\n") + "\t-1\t0\t0\t-\tno such day\n", "no such day"},
		{"missing", "", "lacks"},
	} {
		differences, err := Compare(i.Checks, strings.NewReader(row.result))
		if err != nil || row.want == "" && len(differences) > 0 ||
			!strings.Contains(strings.Join(differences, "\n"), row.want) {
			t.Errorf("%s: %q, %v; want %q", row.name, differences, err, row.want)
		}
	}
	if _, err := Compare(i.Checks, strings.NewReader("nonsense\n")); err == nil {
		t.Error("nonsense is taken for a result")
	}
}

// Whatever a namespace holds, the file is one that the strict reader takes.
func FuzzImport(f *testing.F) {
	text, err := os.ReadFile("testdata/config-3.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text), "com.acme.MyJob")
	f.Add(
		"cron: 0 0 3 * * ?\nshardingTotalCount: 2\nshardingItemParameters: 0=$x,1=#\n"+
			"description: \"a\\u0007: ${B}\"\nprops: {\"x\\ny\": \"#\"}\n",
		"a\nb: c",
	)
	f.Add(`{"jobName":"j","shardingTotalCount":2,"cron":"0/5 * * * * ?","jobParameter":"\u2028 %"}`, "")
	f.Fuzz(func(t *testing.T, config, class string) {
		s := &Snapshot{Job: "j", Nodes: map[string]*Node{"": {Data: class}, "config": {Data: config}}}
		i, err := ImportJobs([]*Snapshot{s}, ImportOptions{Zone: "UTC", Now: importedAt, Horizon: time.Hour})
		if err != nil || len(i.Jobs) == 0 {
			return
		}
		file, err := i.File()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jobfile.Read(bytes.NewReader(file), nil); err != nil {
			t.Errorf("%v\n%s", err, file)
		}
	})
}
