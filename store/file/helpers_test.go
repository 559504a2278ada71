package file

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// The test binary is also the process that is killed, and the one that finds
// the directory in use.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FILE_TEST_STORM"); dir != "" {
		stormChild(dir)
	}
	if dir := os.Getenv("FILE_TEST_OPEN"); dir != "" {
		openChild(dir)
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // most cases of the suite wait most of the time
	os.Exit(m.Run())
}

// openAt opens a store on a directory and closes it with the test, unless the
// test does.
func openAt(t testing.TB, dir string) *client {
	t.Helper()
	c, err := connect(dir, true)
	if err != nil {
		t.Fatalf("open %s: %v", dir, err)
	}
	t.Cleanup(func() { closeNow(c) })
	return c
}

func closeNow(c *client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Close(ctx)
}

func mustClose(t testing.TB, c *client) {
	t.Helper()
	if err := closeNow(c); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// do commits writes and returns the version of the last.
func do(t testing.TB, c store.Store, ss store.Session, ops ...store.Op) store.Version {
	t.Helper()
	r, err := c.Commit(context.Background(), store.Txn{Session: ss, Do: ops})
	if err != nil {
		t.Fatalf("commit %v: %v", ops, err)
	}
	return r.Versions[len(ops)-1]
}

// dump shows all that a store holds.
func dump(t testing.TB, c store.Store) string {
	t.Helper()
	all, err := c.List(context.Background(), "")
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return show(all)
}

func show(entries []store.Entry) string {
	out := ""
	for _, e := range entries {
		out += fmt.Sprintf("%s=%q@%d+%d ", e.Key, e.Value, e.Version, e.Created)
	}
	return out
}

// put writes a directory that holds one log, and nothing else.
func put(t testing.TB, log []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, logName), log, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func logOf(t testing.TB, dir string) []byte {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// await waits until f returns true.
func await(t *testing.T, claim string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("it never comes true that %s", claim)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
