package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// disk knows what a machine that loses its power has kept of a log: of each
// file, what it held at its last fsync; of the directory, its names at the last
// fsync of it, or as they are now: a name may get to the disk before it must.
type disk struct {
	t       *testing.T
	dir     string
	want    []string     // the content after so many commits
	acked   atomic.Int64 // commits
	mu      sync.Mutex   // guards what follows
	files   []kept
	durable os.FileInfo // the file that has the log's name
}

type kept struct {
	info os.FileInfo
	log  []byte
}

func (d *disk) sync(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	log := make([]byte, info.Size())
	if _, err := f.ReadAt(log, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.files, kept{info, log})
	return nil
}

func (d *disk) syncDir() error {
	info, err := os.Stat(filepath.Join(d.dir, logName))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable = info
	return err
}

// images returns what the log may be after a loss of power now. The caller
// holds d.mu.
func (d *disk) images() [][]byte {
	current, _ := os.Stat(filepath.Join(d.dir, logName))
	var out [][]byte
	for _, name := range []os.FileInfo{d.durable, current} {
		var log []byte
		for _, f := range d.files {
			if os.SameFile(f.info, name) {
				log = f.log
			}
		}
		out = append(out, log)
	}
	return out
}

// check fails the test unless every image holds what was acknowledged, and at
// most the commit under way besides.
func (d *disk) check(when string) {
	n := int(d.acked.Load())
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, log := range d.images() {
		c, _, _, _, err := replay("log", log)
		got := show(c.record().Put)
		if err != nil || got != d.want[n] && got != d.want[min(n+1, len(d.want)-1)] {
			d.t.Errorf("power lost %s, after %d commits, image %d of %d bytes: %v\ngot  %s\nwant %s", when, n, i, len(log), err, got, d.want[n])
		}
	}
}

// journaled opens a directory with a journal that f has changed.
func journaled(t *testing.T, dir string, f func(*journal)) (*memory.Client, *journal) {
	t.Helper()
	h, err := takeHold(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(h, true)
	f(j)
	if err := j.load(); err != nil {
		t.Fatal(err)
	}
	go j.run()
	c := memory.NewServer(memory.Journaled(j, j.content.record())).Connect("test")
	t.Cleanup(func() {
		c.Close(context.Background())
		j.close()
		h.release()
	})
	return c, j
}

func TestLossOfPowerLosesNothingThatWasAcknowledged(t *testing.T) {
	const n = 100
	var commits []store.Op
	d := &disk{t: t, dir: t.TempDir(), want: []string{""}}
	model := memory.NewServer().Connect("model")
	defer model.Close(t.Context())
	for i := range n {
		key, write := fmt.Sprintf("k/%d", i%5), store.Set
		if i < 5 {
			write = store.Create
		}
		commits = append(commits, write(key, fmt.Appendf(nil, "value %d", i)))
		do(t, model, nil, commits[i])
		d.want = append(d.want, dump(t, model))
	}

	steps := 0
	c, _ := journaled(t, d.dir, func(j *journal) {
		j.sync, j.syncDir, j.grow = d.sync, d.syncDir, 600
		j.step = func(step string) {
			if d.durable != nil { // else the first log is being made, and nothing was acknowledged
				steps++
				d.check("when a new log was " + step)
			}
		}
	})
	for _, op := range commits {
		do(t, c, nil, op)
		d.acked.Add(1)
		d.check("at rest")
	}
	c.Close(t.Context())
	if steps < 18 {
		t.Errorf("%d steps of rewrites", steps)
	}
}

// A process that was killed may have left a commit that is in the file and not
// on the disk.
func TestWhatIsReadAtOpenIsOnDiskFirst(t *testing.T) {
	l := written(t, 10)
	d := &disk{t: t, dir: put(t, l.log), want: l.want}
	journaled(t, d.dir, func(j *journal) { j.sync, j.syncDir = d.sync, d.syncDir })
	d.acked.Store(int64(len(l.want) - 1))
	d.check("just after opening")

	// A log that has outgrown what it holds is written again instead.
	d = &disk{t: t, dir: put(t, l.log), want: l.want}
	_, j := journaled(t, d.dir, func(j *journal) { j.sync, j.syncDir, j.grow = d.sync, d.syncDir, 1 })
	d.acked.Store(int64(len(l.want) - 1))
	d.check("just after opening")
	if j.base != j.size || j.size >= int64(len(l.log)) {
		t.Errorf("the log has %d bytes, %d of them written anew; it had %d", j.size, j.base, len(l.log))
	}
}

// The commit whose fsync fails is unknown; here it is on disk.
func TestFailedFsyncIsNotTriedAgain(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	c, _ := journaled(t, dir, func(j *journal) {
		j.sync = func(f *os.File) error {
			if calls++; calls == 3 {
				return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
			}
			return f.Sync()
		}
	})
	do(t, c, nil, store.Create("a", nil))
	_, err := c.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("b", nil)}})
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, syscall.EIO) {
		t.Errorf("the commit whose fsync failed: %v", err)
	}
	_, err = c.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("c", nil)}})
	if !errors.Is(err, store.ErrUnavailable) || calls != 3 {
		t.Errorf("the next: %v, after %d calls of fsync", err, calls)
	}
	if got := dump(t, openAt(t, put(t, logOf(t, dir)))); got == "" {
		t.Error("nothing is there after opening again")
	}
}
