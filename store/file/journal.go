package file

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The files of a directory.
const (
	logName  = "elastic.log"
	newName  = "elastic.log.new" // a log that is being written again; worthless until it has the other's name
	lockName = "elastic.lock"
)

// rewriteAfter is how many bytes a log must have grown, and by no less than
// what it held at first, before it is written again. So all rewriting together
// writes at most about as much as the commits do.
const rewriteAfter = 8 << 20

// journal is the open log of a directory. One goroutine, run, writes it.
type journal struct {
	hold  *hold
	fsync bool
	done  chan struct{} // closed when run has ended
	wake  chan struct{} // holds one: the queue or closing has changed

	// What tests replace.
	grow    int64             // rewriteAfter
	step    func(what string) // called after each step of a rewrite
	sync    func(*os.File) error
	syncDir func() error

	ended func(reason error) // called once when the store ends; set before run

	// run's, once it runs
	content    content // what is in the log
	file       *os.File
	salt       uint64
	base, size int64
	retry      int64 // size at which a rewrite that failed is tried again
	buffer     []byte

	mu      sync.Mutex
	queue   []*batch
	failed  error
	closing bool
}

// batch is the records of one frame.
type batch struct {
	records []memory.Record
	size    int
	receipt *memory.Receipt
}

func newJournal(h *hold, fsync bool) *journal {
	return &journal{
		hold:    h,
		fsync:   fsync,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		grow:    rewriteAfter,
		step:    func(string) {},
		sync:    (*os.File).Sync,
		syncDir: h.sync,
		ended:   func(error) {},
	}
}

// load reads the log of a directory that is held, or begins one. The caller
// starts run.
func (j *journal) load() error {
	if err := j.hold.remove(newName); err != nil {
		return err
	}
	f, err := j.hold.open(logName)
	switch {
	case err == nil:
		j.file = f
		err = j.loadFrom(f)
	case errors.Is(err, os.ErrNotExist):
		j.content.entries = map[string]store.Entry{}
		_, err = j.rewrite()
	}
	if err != nil && j.file != nil {
		j.file.Close()
	}
	return err
}

func (j *journal) loadFrom(f *os.File) error {
	if err := flock(f); err != nil {
		return j.hold.inUse(err) // from another directory that the log was moved from
	}
	log, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	content, salt, base, good, err := replay(j.path(logName), log)
	if err != nil {
		return err
	}
	j.content, j.salt, j.base, j.size = content, salt, int64(base), int64(good)
	if good < len(log) {
		if err := f.Truncate(j.size); err != nil {
			return err
		}
	}
	if j.outgrown() {
		_, err := j.rewrite()
		return err
	}
	// What has been read may never have been on disk, if the process before was
	// killed: it must be before a reader sees it. That holds for the name of
	// the file, too.
	if err := j.sync(f); err != nil {
		return err
	}
	return j.syncDir()
}

func (j *journal) outgrown() bool { return j.size-j.base >= max(j.grow, j.base) }

func (j *journal) path(name string) string { return filepath.Join(j.hold.path, name) }

// Append queues a record for the next frame. The server holds its lock
// meanwhile.
func (j *journal) Append(r memory.Record) *memory.Receipt {
	j.mu.Lock()
	defer j.mu.Unlock()
	var last *batch
	if n := len(j.queue); n > 0 && j.queue[n-1].size < frameFull {
		last = j.queue[n-1]
	} else {
		last = &batch{receipt: memory.NewReceipt()}
		if j.failed != nil {
			last.receipt.Settle(j.failed)
			return last.receipt
		}
		j.queue = append(j.queue, last)
		j.rouse()
	}
	last.records = append(last.records, r)
	last.size += size(r)
	return last.receipt
}

func (j *journal) rouse() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// run writes what is queued, one frame at a time, until close. Records that
// come while a frame is on its way to the disk wait together for the next.
func (j *journal) run() {
	defer close(j.done)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		b, end := j.next()
		switch {
		case b != nil:
			err := j.write(b)
			if err != nil {
				err = j.fail(err)
			}
			b.receipt.Settle(err)
			if err == nil && j.outgrown() && j.size >= j.retry {
				j.rewriteOrGoOn()
			}
		case end:
			return
		default:
			select {
			case <-j.wake:
			case <-look.C:
				j.look()
			}
		}
	}
}

// lookEvery is how often a store that is idle makes sure that the directory is
// still its own. A store that commits does so before each acknowledgement.
const lookEvery = time.Second

// look ends the store if the directory is no longer its own.
func (j *journal) look() {
	if j.failure() != nil {
		return
	}
	err := j.check()
	if err == nil {
		err = j.hold.restore()
	}
	if err != nil {
		j.fail(err)
	}
}

// check returns an error once the directory or the log was removed, replaced,
// or written by another program.
func (j *journal) check() error {
	if err := j.hold.check(); err != nil {
		return err
	}
	if !j.hold.names(logName, j.file) {
		return fmt.Errorf("%s was removed or replaced while it was in use", j.path(logName))
	}
	return j.checkSize()
}

// checkSize returns an error once the log has another size than it should.
func (j *journal) checkSize() error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != j.size {
		return fmt.Errorf("%s was changed by another program: it has %d bytes, and should have %d", j.path(logName), info.Size(), j.size)
	}
	return nil
}

func (j *journal) next() (b *batch, end bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return nil, j.closing
	}
	b, j.queue = j.queue[0], j.queue[1:]
	return b, false
}

// write puts a batch on disk. After an error it is unknown whether it is there.
func (j *journal) write(b *batch) error {
	if err := j.checkSize(); err != nil {
		return err
	}
	j.buffer = appendFrame(j.buffer[:0], j.salt, b.records...)
	if _, err := j.file.WriteAt(j.buffer, j.size); err != nil {
		return err
	}
	if j.fsync {
		// An fsync that failed must not be tried again: the kernel may have
		// dropped the pages and say yes then.
		if err := j.sync(j.file); err != nil {
			return err
		}
	}
	j.size += int64(len(j.buffer))
	// What was written to a file without a name is not kept.
	if err := j.check(); err != nil {
		return err
	}
	for _, r := range b.records {
		j.content.apply(r)
	}
	return nil
}

// fail ends the store: what waits and what comes is refused with the error that
// it returns.
func (j *journal) fail(err error) error {
	j.mu.Lock()
	j.failed = fmt.Errorf("store/file: %w; close all stores on %s and open them again", err, j.hold.path)
	for _, b := range j.queue {
		b.receipt.Settle(j.failed)
	}
	j.queue = nil
	j.mu.Unlock()
	j.ended(j.failed)
	return j.failed
}

// failure returns why the store has ended.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// rewriteOrGoOn writes the log again. If that fails before the new file has its
// name, the old one is as good as before.
func (j *journal) rewriteOrGoOn() {
	moved, err := j.rewrite()
	if err == nil {
		return
	}
	if !moved {
		j.retry = j.size + j.grow
		err = j.check()
	}
	if err != nil {
		j.fail(err)
	}
}

// rewrite writes a log that holds the content and nothing else, and gives it
// its name. A crash leaves the old log or the new one. It reports whether the
// new one has the name; until then j is unchanged.
func (j *journal) rewrite() (moved bool, err error) {
	var seed [8]byte
	rand.Read(seed[:])
	salt := binary.LittleEndian.Uint64(seed[:])
	if err := j.hold.remove(newName); err != nil {
		return false, err
	}
	f, err := j.hold.create(newName)
	if err != nil {
		return false, err
	}
	base, err := j.fill(f, salt)
	if err == nil {
		j.step("synced")
		if j.file != nil {
			err = j.check() // the name may be another log's by now
		}
	}
	if err == nil {
		err = j.hold.root.Rename(newName, logName)
	}
	if err != nil {
		f.Close()
		j.hold.remove(newName) // it may be what fills the disk
		return false, err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file = f
	j.step("renamed")
	// Before anything is added: else the name could be the old file's after a
	// crash, which lacks what was added.
	if err := j.syncDir(); err != nil {
		return true, err
	}
	j.step("done")
	j.salt, j.base, j.size, j.retry = salt, base, base, 0
	return true, j.check()
}

// fill writes the content to a new log, puts it on disk and returns its size.
func (j *journal) fill(f *os.File, salt uint64) (base int64, err error) {
	j.step("created")
	if err := flock(f); err != nil {
		return 0, err
	}
	base = int64(headSize)
	for _, r := range pieces(j.content.record()) {
		frame := appendFrame(nil, salt, r)
		if _, err := f.WriteAt(frame, base); err != nil {
			return 0, err
		}
		base += int64(len(frame))
	}
	j.step("filled")
	if _, err := f.WriteAt(appendHead(nil, salt, uint64(base)), 0); err != nil {
		return 0, err
	}
	j.step("headed")
	// Even with fsync=off: a name without its content would be the loss of
	// everything.
	return base, j.sync(f)
}

// pieces cuts a record that is too large for a frame.
func pieces(r memory.Record) []memory.Record {
	var out []memory.Record
	from, n := 0, 0
	for i, e := range r.Put {
		if n += size(memory.Record{Put: r.Put[i : i+1]}); n >= frameFull || e.Key == r.Put[len(r.Put)-1].Key {
			out = append(out, memory.Record{Rev: r.Rev, Put: r.Put[from : i+1]})
			from, n = i+1, 0
		}
	}
	if out == nil && r.Rev > 0 {
		out = append(out, memory.Record{Rev: r.Rev})
	}
	return out
}

// close waits until everything is written.
func (j *journal) close() error {
	j.mu.Lock()
	j.closing = true
	j.mu.Unlock()
	j.rouse()
	<-j.done
	return j.file.Close()
}
