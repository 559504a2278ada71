package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/go-zookeeper/zk"
)

// Import reads a namespace, writes a file that the strict reader takes, and
// says by its exit code how much is the same. It changes nothing.
func TestImport_OutputAndExitCodes(t *testing.T) {
	server := testservers.StartZooKeeper(t)
	conn := connect(t, server)
	tree(t, conn, zk.WorldACL(zk.PermAll),
		"/ns/report", "com.acme.Report",
		"/ns/report/config", reportConfig,
		"/ns/report/servers/10.0.0.1", "ENABLED",
		"/ns/manual", "com.acme.Manual",
		"/ns/manual/config", "jobName: manual\njobShardingStrategyType: OWN\nmonitorExecution: true\nshardingTotalCount: 1\n",
		"/exact/manual/config", "jobName: manual\nmonitorExecution: true\nshardingTotalCount: 1\n",
	)
	from := "zookeeper://" + server.Addr()
	command := func(ns string, more ...string) []string {
		return append([]string{"elasticjob", "import", "--from", from + ns, "--horizon", "48h"}, more...)
	}
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		args []string
		code int
	}{
		{"cannot", command("/ns"), exitRefused},
		{
			"differs",
			command("/ns", "--job", "report",
				"--out", filepath.Join(dir, "jobs.yaml"), "--quartz-check", filepath.Join(dir, "check")),
			exitFindings,
		},
		{"json", command("/ns", "--job", "manual", "--report", "json"), exitRefused},
		{"no-jobs", command("/ns", "--job", "x*"), exitUsage},
		{"no-rename", command("/ns", "--rename", "x=y"), exitUsage},
	} {
		code, stdout, stderr := elasticctl(t, row.args...)
		if code != row.code {
			t.Errorf("%s: exit code %d, want %d: %s", row.name, code, row.code, stderr)
		}
		text := strings.ReplaceAll("$ elasticctl elasticjob import …\n"+stdout+"-- stderr\n"+stderr, dir, "DIR")
		golden(t, "import-"+row.name+".txt", days.ReplaceAllString(steady(text), "DAY"))
	}
	file, err := jobfile.Load(filepath.Join(dir, "jobs.yaml"))
	if err != nil || len(file.Jobs) != 1 || file.Jobs[0].Name != "report" {
		t.Errorf("the file has %+v (%v)", file, err)
	}
	for _, name := range []string{"QuartzCheck.java", "expressions.tsv"} {
		if text, err := os.ReadFile(filepath.Join(dir, "check", name)); err != nil || len(text) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
