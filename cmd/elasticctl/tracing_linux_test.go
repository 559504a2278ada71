package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/elasticjob/tracing"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// The tracing tables are imported as lines and into a database, from a data
// source in a file or a variable. An import that is made again goes on from its
// cursor, and leaves each row once.
func TestTracing_ImportsRuns(t *testing.T) {
	const password = "hunter2"
	server := testservers.StartMariaDB(t, password)
	source, err := tracing.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	db, _ := source.DB()
	execute := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	execute("CREATE TABLE JOB_EXECUTION_LOG (id VARCHAR(40) PRIMARY KEY, job_name VARCHAR(100), task_id VARCHAR(255), " +
		"ip VARCHAR(50), sharding_item INT, execution_source VARCHAR(20), failure_cause VARCHAR(4000), is_success INT, " +
		"start_time TIMESTAMP NULL, complete_time TIMESTAMP NULL)")
	execute("CREATE TABLE JOB_STATUS_TRACE_LOG (id VARCHAR(40) PRIMARY KEY, job_name VARCHAR(100), task_id VARCHAR(255), " +
		"slave_id VARCHAR(50), sharding_item VARCHAR(100), state VARCHAR(20), message VARCHAR(4000), creation_time TIMESTAMP NULL)")
	row := func(id, begin string) {
		t.Helper()
		execute(fmt.Sprintf("INSERT INTO JOB_EXECUTION_LOG VALUES ('%s', 'report', 'report@-@0@-@READY@-@10.0.0.1@-@7', "+
			"'10.0.0.1', 0, 'NORMAL_TRIGGER', NULL, 1, '%s', '%s')", id, begin, begin))
	}
	row("a", "2026-01-01 00:00:00")
	row("b", "2026-01-02 00:00:00")
	row("c", "2026-01-03 00:00:00")

	dir := t.TempDir()
	file := filepath.Join(dir, "source")
	if err := os.WriteFile(file, []byte(server.URL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRACING", server.URL())
	lines := filepath.Join(dir, "lines")
	count := func() int {
		text, err := os.ReadFile(filepath.Join(lines, "history.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), `"run"`)
	}
	do := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := elasticctl(t, append([]string{"elasticjob", "import", "--namespace", "pay"}, args...)...)
		if code != exitDone || !strings.Contains(stdout, want) {
			t.Errorf("%q: exit code %d, want 0 and %q:\n%s%s", args, code, want, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, password) {
			t.Errorf("%q: the password is in the output", args)
		}
	}
	cursor := filepath.Join(dir, "cursor")
	do("2 runs", "--tracing", file, "--history", lines, "--since", "2026-01-02", "--cursor", cursor)
	do("0 runs", "--tracing", "env:TRACING", "--history", lines, "--cursor", cursor)
	row("d", "2026-01-04 00:00:00")
	do("1 run", "--tracing", file, "--history", lines, "--cursor", cursor)
	if n := count(); n != 3 {
		t.Errorf("the file has %d runs, want 3", n)
	}
	for range 2 {
		do("4 runs", "--tracing", file, "--history", "env:TRACING")
	}
	var stored int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM elastic_run").Scan(&stored); err != nil || stored != 4 {
		t.Errorf("the database has %d runs (%v), want 4", stored, err)
	}
	do(`"runs": 4`, "--tracing", file, "--history", filepath.Join(dir, "other"), "--report", "json")
}

// A data source on the command line is refused, and never shown; so are
// flags that are missing or contradict each other.
func TestTracing_RefusesFlags(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	odd := filepath.Join(dir, "odd")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, []byte("java:hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := []string{"--history", dir, "--namespace", "pay", "--tracing"}
	for _, row := range []struct {
		args []string
		want string
	}{
		{append(run, "mysql://java:hunter2@h/x"), "command line"},
		{append(run, "java:hunter2@tcp(h)/x"), "command line"},
		{append(run, "env:NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"},
		{append(run, filepath.Join(dir, "none")), "no such file"},
		{append(run, empty), "empty"},
		{append(run, odd), "mysql://user"},
		{append(run, odd, "--since", "yesterday"), "--since"},
		{append(run, odd, "--zone", "Mars"), "--zone"},
		{[]string{"--tracing", odd, "--namespace", "pay"}, "--history"},
		{[]string{"--tracing", odd, "--history", dir}, "--namespace"},
		{[]string{"--history", dir}, "--tracing"},
		{[]string{"--tracing", odd, "--namespace", "pay", "--history", "mysql://java:hunter2@h/x"}, ""},
	} {
		code, stdout, stderr := elasticctl(t, append([]string{"elasticjob", "import"}, row.args...)...)
		if code != exitUsage || !strings.Contains(stderr, row.want) || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%q: exit code %d, want 2 and %q: %s", row.args, code, row.want, stderr)
		}
	}
}
