//go:build linux

package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/file"
)

// Run on a file store returns the error when the disk is full or the directory
// is gone, and a scheduler that is started again finds all that was
// acknowledged.
func TestScheduler_EndsWithItsStore(t *testing.T) {
	rows := map[string]func(t *testing.T, dir string) (mend func()){
		"the directory is moved": func(t *testing.T, dir string) func() {
			check(t, os.Rename(dir, dir+"-moved"))
			return func() { check(t, os.Rename(dir+"-moved", dir)) }
		},
	}
	if os.Geteuid() == 0 { // only the superuser can mount
		rows["the disk is full"] = func(t *testing.T, dir string) func() {
			filler := filepath.Join(filepath.Dir(dir), "filler")
			f, err := os.Create(filler)
			check(t, err)
			defer f.Close()
			for err == nil {
				_, err = io.CopyN(f, zeros{}, 4096)
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("fill the disk: %v", err)
			}
			return func() { check(t, os.Remove(filler)) }
		}
		rows["the disk is read-only"] = func(t *testing.T, dir string) func() {
			remount := func(flags uintptr) error {
				return syscall.Mount("", filepath.Dir(dir), "", syscall.MS_REMOUNT|flags, "size=2m")
			}
			// A file system with a file open for writing can't be remounted,
			// and one that the kernel remounts after an error can: a second
			// mount over the first is what the store sees then.
			if err := remount(syscall.MS_RDONLY); err != nil {
				top := filepath.Dir(dir)
				check(t, syscall.Mount("tmpfs", top, "tmpfs", syscall.MS_RDONLY, "size=2m"))
				return func() { check(t, syscall.Unmount(top, syscall.MNT_DETACH)) }
			}
			return func() { check(t, remount(0)) }
		}
	}
	for name, spoil := range rows {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			if os.Geteuid() == 0 {
				check(t, syscall.Mount("tmpfs", top, "tmpfs", 0, "size=2m"))
				defer syscall.Unmount(top, syscall.MNT_DETACH)
			}
			dir := filepath.Join(top, "jobs")
			begun, ended, stop := run(t, dir)
			<-begun
			mend := spoil(t, dir)
			select {
			case err := <-ended:
				if !errors.Is(err, store.ErrEnded) {
					t.Errorf("run returned %v, want ErrEnded", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("run goes on with a store that has ended")
				stop()
				<-ended
			}
			mend()
			begun, ended, stop = run(t, dir)
			<-begun
			stop()
			if err := <-ended; err != nil {
				t.Errorf("run again: %v", err)
			}
		})
	}
}

// run starts a scheduler on a directory. begun is sent to once handlers run.
func run(t *testing.T, dir string) (begun <-chan bool, ended <-chan error, stop func()) {
	t.Helper()
	s, err := elastic.Open(t.Context(), "file://"+dir, elastic.WithJoinDelay(0))
	check(t, err)
	runs, results := make(chan bool, 1), make(chan error, 1)
	var first atomic.Bool
	s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 3}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
		if !first.Swap(true) {
			runs <- true
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { results <- s.Run(ctx) }()
	return runs, results, cancel
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
