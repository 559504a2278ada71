package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/go-zookeeper/zk"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

// elasticctl runs a command line.
func elasticctl(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	code = run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

var (
	days     = regexp.MustCompile(`20\d\d-\d\d-\d\d`)
	moments  = regexp.MustCompile(`20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`)
	sessions = regexp.MustCompile(`0x[0-9a-f]{9,}`)
	czxids   = regexp.MustCompile(`"czxid":\d+`)
)

func steady(text string) string {
	text = moments.ReplaceAllString(text, "TIME")
	text = sessions.ReplaceAllString(text, "SESSION")
	return czxids.ReplaceAllString(text, `"czxid":N`)
}

// tree makes the nodes of a namespace, each with its parents. A value that
// begins with "E " is that of an ephemeral node.
func tree(t *testing.T, conn *zk.Conn, acl []zk.ACL, nodes ...string) {
	t.Helper()
	for i := 0; i < len(nodes); i += 2 {
		path, value := nodes[i], nodes[i+1]
		for j := 1; j < len(path); j++ {
			if path[j] == '/' {
				conn.Create(path[:j], nil, 0, acl) // mostly there
			}
		}
		flags := int32(0)
		if rest, ok := strings.CutPrefix(value, "E "); ok {
			value, flags = rest, zk.FlagEphemeral
		}
		_, err := conn.Create(path, []byte(value), flags, acl)
		if err == zk.ErrNodeExists {
			_, err = conn.Set(path, []byte(value), -1)
		}
		if err != nil {
			t.Fatalf("create %s: %v", path, err)
		}
	}
}

func connect(t *testing.T, server *testservers.ZooKeeper) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{server.Addr()}, 2*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	go func() {
		for range events {
		}
	}()
	return conn
}

const reportConfig = "cron: 0 0 3 * * ?\nfailover: true\njobName: report\nmonitorExecution: true\n" +
	"shardingTotalCount: 2\ntimeZone: GMT+08:00\n"

// The doctor finds a blocked shard, writes nothing unless it may, repairs it
// with --repair, and says by its exit code which of these it was.
func TestDoctor_OutputAndExitCodes(t *testing.T) {
	server := testservers.StartZooKeeper(t, "maxSessionTimeout=2000")
	conn := connect(t, server)
	if err := conn.AddAuth("digest", []byte("java:secret")); err != nil {
		t.Fatal(err)
	}
	acl := append(zk.DigestACL(zk.PermAll, "java", "secret"), zk.WorldACL(zk.PermRead)...)
	tree(t, conn, acl,
		"/chroot/ns/report", "com.acme.Report",
		"/chroot/ns/report/config", reportConfig,
		"/chroot/ns/report/servers/10.0.0.1", "ENABLED",
		"/chroot/ns/report/instances/10.0.0.1@-@8", "E jobInstanceId: 10.0.0.1@-@8\nserverIp: 10.0.0.1\n",
		"/chroot/ns/report/leader/sharding/necessary", "",
		"/chroot/ns/report/sharding/0/instance", "10.0.0.1@-@8",
		"/chroot/ns/report/sharding/1/instance", "10.0.0.2@-@7",
		"/chroot/ns/report/sharding/1/running", "10.0.0.2@-@7",
		"/chroot/ns/report/sharding/1/disabled", "",
		"/chroot/ns/notes", "not a job",
	)
	from := "zookeeper://" + server.Addr() + "/chroot/ns"
	t.Setenv("JAVA_PASSWORD", "secret")
	withUser := "zookeeper://java@" + server.Addr() + "/chroot/ns?password_env=JAVA_PASSWORD"
	doctor := func(url string, more ...string) []string {
		return append([]string{"elasticjob", "doctor", "--from", url, "--settle", "1s"}, more...)
	}
	for _, row := range []struct {
		name string
		args []string
		code int
	}{
		{"dry", doctor(from), exitFindings},
		{"dry-verbose", doctor(from, "-v", "--job", "rep*"), exitFindings},
		{"no-right-to-write", doctor(from, "--repair"), exitFindings},
		{"json", doctor(from, "-o", "json"), exitFindings},
		{"repaired", doctor(withUser, "--repair"), exitDone},
		{"healthy", doctor(from), exitDone},
	} {
		code, stdout, stderr := elasticctl(t, row.args...)
		if code != row.code {
			t.Errorf("%s: exit code %d, want %d: %s", row.name, code, row.code, stderr)
		}
		golden(t, "doctor-"+row.name+".txt", steady("$ elasticctl elasticjob doctor …\n"+stdout+"-- stderr\n"+stderr))
		if row.name == "json" && !json.Valid([]byte(stdout)) {
			t.Errorf("not JSON: %s", stdout)
		}
		if strings.Contains(stdout+stderr, "secret") {
			t.Errorf("%s: the password is shown", row.name)
		}
	}
	there, _, err := conn.Exists("/chroot/ns/report/sharding/1/running")
	if there || err != nil {
		t.Errorf("the mark is there (%v)", err)
	}
}

// A janitor repairs what comes while it watches, and ends in good order.
func TestDoctor_Watch(t *testing.T) {
	server := testservers.StartZooKeeper(t, "maxSessionTimeout=2000")
	conn := connect(t, server)
	acl := zk.WorldACL(zk.PermAll)
	tree(t, conn, acl,
		"/ns/j", "com.acme.J",
		"/ns/j/config", "cron: 0/10 * * * * ?\nfailover: true\nmonitorExecution: true\nshardingTotalCount: 1\n",
		"/ns/j/servers/10.0.0.1", "ENABLED",
		"/ns/j/instances/10.0.0.1@-@8", "E x",
		"/ns/j/sharding/0/instance", "10.0.0.1@-@8",
	)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ended := make(chan int)
	for range 2 { // janitors beside each other
		go func() {
			var out, err bytes.Buffer
			from := "zookeeper://" + server.Addr() + "/ns"
			ended <- run(ctx, []string{"elasticjob", "doctor", "--from", from, "--repair", "--watch",
				"--settle", "1s", "--every", "500ms"}, &out, &err)
		}()
	}
	tree(t, conn, acl, "/ns/j/sharding/0/running", "10.0.0.2@-@7")
	for {
		there, _, events, err := conn.ExistsW("/ns/j/sharding/0/running")
		if err != nil {
			t.Fatal(err)
		}
		if !there {
			break
		}
		select {
		case <-events:
		case <-ctx.Done():
			t.Fatal("the mark is still there")
		}
	}
	cancel()
	for range 2 {
		if code := <-ended; code != exitDone {
			t.Errorf("exit code %d, want 0", code)
		}
	}
}

// What is typed wrong is refused before anything is read, with what to write.
func TestCommandLine_Refusals(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"elasticjob", "doctor"}, "--from", exitUsage},
		{[]string{"elasticjob", "doctor", "--frm", "x"}, "unknown flag", exitUsage},
		{[]string{"elasticjob", "docter"}, "", exitUsage},
		{[]string{"nonsense"}, "unknown command", exitUsage},
		{[]string{"elasticjob", "doctor", "--from", "etcd://h/ns"}, "zookeeper://", exitUsage},
		{[]string{"elasticjob", "doctor", "--from", "zookeeper://u:hunter2@h/"}, "namespace", exitUsage},
		{[]string{"elasticjob", "doctor", "--from", "zookeeper://h/ns", "--yes", "reused-id"}, "--repair", exitUsage},
		{
			[]string{"elasticjob", "doctor", "--from", "zookeeper://h/ns", "--repair", "--yes", "everything"},
			"reused-id", exitUsage,
		},
		{[]string{"elasticjob", "doctor", "--from", "zookeeper://h/ns", "--rate", "0"}, "--rate 0", exitUsage},
		{[]string{"elasticjob", "import", "--from", "zookeeper://h/ns", "--rate", "99999"}, "50000", exitUsage},
		{[]string{"elasticjob", "doctor", "--from", "zookeeper://h/ns", "-o", "xml"}, "json", exitUsage},
		{[]string{"elasticjob", "doctor", "--from", "zookeeper://h/ns", "--zone", "Mars"}, "zone", exitUsage},
		{
			[]string{"elasticjob", "doctor", "--from", "zookeeper://127.0.0.1:1/ns", "--timeout", "200ms"},
			"127.0.0.1:1", exitUnreachable,
		},
	} {
		code, stdout, stderr := elasticctl(t, row.args...)
		wrong := !strings.Contains(stderr, row.want) || strings.Contains(stderr, "hunter2")
		if code != row.code || wrong || strings.Contains(stdout, "read,") {
			t.Errorf("%v: exit code %d, want %d\n%s%s", row.args, code, row.code, stdout, stderr)
		}
	}
}
