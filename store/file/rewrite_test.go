package file

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// A crash between any two steps of a rewrite is a copy of the directory made
// there.
func TestCrashAtAnyStepOfARewriteLosesNothing(t *testing.T) {
	type crash struct {
		step, dir string
		acked     int
	}
	var crashes []crash // the journal's goroutine adds to it; read after it has ended
	var acked atomic.Int64
	dir := t.TempDir()
	c := openAt(t, dir)
	c.dir.journal.grow = 700
	c.dir.journal.step = func(step string) {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		crashes = append(crashes, crash{step, to, int(acked.Load())})
	}
	const n = 120
	want := make([]string, n+1)
	for i := range n {
		key := fmt.Sprintf("k/%d", i%7)
		if i < 7 {
			do(t, c, nil, store.Create(key, nil))
		} else {
			do(t, c, nil, store.Set(key, fmt.Appendf(nil, "value %d", i)))
		}
		acked.Add(1)
		want[i+1] = dump(t, c)
	}
	mustClose(t, c)
	steps := map[string]int{}
	for _, crash := range crashes {
		steps[crash.step]++
		c := openAt(t, crash.dir)
		got := dump(t, c)
		if got != want[crash.acked] && (crash.acked == n || got != want[crash.acked+1]) {
			t.Errorf("crash when %s, after %d commits:\ngot  %s\nwant %s\nor   %s", crash.step, crash.acked, got, want[crash.acked], want[min(n, crash.acked+1)])
		}
		if _, err := os.Stat(filepath.Join(crash.dir, newName)); err == nil {
			t.Errorf("crash when %s: %s is still there", crash.step, newName)
		}
		mustClose(t, c)
	}
	for _, step := range []string{"created", "filled", "headed", "synced", "renamed", "done"} {
		if steps[step] < 3 {
			t.Errorf("%d crashes when %s: %v", steps[step], step, steps)
		}
	}
	if got := dump(t, openAt(t, dir)); got != want[n] {
		t.Errorf("got %s\nwant %s", got, want[n])
	}
}

func TestLogStaysSmall(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	c.dir.journal.grow = 10_000
	do(t, c, nil, store.Create("k", nil))
	value := make([]byte, 900)
	for i := range 200 {
		do(t, c, nil, store.Set("k", value))
		if n := len(logOf(t, dir)); n > 13_000 {
			t.Fatalf("the log has %d bytes after %d commits", n, i)
		}
	}
}

// A rewrite that fails before the new log has the name is no harm; it is tried
// again.
func TestStoreGoesOnWhenARewriteFails(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	c.dir.journal.grow = 500
	obstacle := filepath.Join(dir, newName, "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	do(t, c, nil, store.Create("k", nil))
	for i := range 100 {
		do(t, c, nil, store.Set("k", fmt.Appendf(nil, "value %d", i)))
	}
	if n := len(logOf(t, dir)); n < 2000 {
		t.Fatalf("the log has %d bytes: it was written anew in spite of all", n)
	}
	if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		do(t, c, nil, store.Set("k", fmt.Appendf(nil, "later %d", i)))
	}
	if n := len(logOf(t, dir)); n > 1500 {
		t.Errorf("the log has %d bytes: it was not written anew again", n)
	}
	want := dump(t, c)
	mustClose(t, c)
	if got := dump(t, openAt(t, dir)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLargeContentIsWrittenAnewInPieces(t *testing.T) {
	dir := t.TempDir()
	c := openAt(t, dir)
	value := make([]byte, 300<<10)
	for i := range 12 {
		do(t, c, nil, store.Create(fmt.Sprintf("k/%02d", i), value))
	}
	mustClose(t, c)
	c = openAt(t, dir)
	c.dir.journal.grow = 1
	c.dir.journal.base = 0 // so that one more commit is too much
	do(t, c, nil, store.Create("last", nil))
	want := dump(t, c)
	mustClose(t, c)
	if got := frames(t, logOf(t, dir)); len(got) < 4 {
		t.Errorf("%d frames", len(got)-1)
	}
	c = openAt(t, dir)
	if got := dump(t, c); got != want {
		t.Error("the content differs")
	}
	if c.dir.journal.base <= 3<<20 {
		t.Errorf("the log was not written anew: base %d", c.dir.journal.base)
	}
}
