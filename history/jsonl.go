package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// JSONL is a sink that appends rows to a file in a directory, one JSON object a
// line, for programs that ship files. A line has one key, the type of the row:
//
//	{"run":{"ns":"elastic","job":"report","shard":1,"fence":1834,…}}
//
// The types are run, missed, event, gap, audit and log, with the JSON names of
// their fields. Durations are in nanoseconds.
//
// The file is history.jsonl. When it is full, it is renamed to
// history-TIME.jsonl, and the oldest such files are removed. After a crash a
// row can be there twice: a reader must use the keys of rows.
type JSONL struct {
	dir string
	o   JSONLOptions

	mu   sync.Mutex
	file *os.File
	size int64
}

// JSONLOptions configures a [JSONL]. The zero value is usable.
type JSONLOptions struct {
	// MaxBytes is the size at which a file is full. The default is 64 MiB.
	MaxBytes int64

	// Keep is the number of full files that are kept. The default is 10.
	Keep int
}

const (
	jsonlName   = "history.jsonl"
	jsonlPrefix = "history-"
	jsonlSuffix = ".jsonl"
)

// NewJSONL returns a sink that writes to a directory, which the first Write
// makes if it does not exist. Only one sink may write to a directory.
func NewJSONL(dir string, o JSONLOptions) *JSONL {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Keep <= 0 {
		o.Keep = 10
	}
	return &JSONL{dir: dir, o: o}
}

// Write appends the rows and syncs the file.
func (j *JSONL) Write(ctx context.Context, b Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write history to %s: %w", j.dir, err)
	}
	text, err := b.lines()
	if err != nil {
		return Refuse(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(text); err != nil {
		return fmt.Errorf("write history to %s: %w", j.dir, err)
	}
	return nil
}

// lines returns the rows as they stand in a file.
func (b *Batch) lines() ([]byte, error) {
	var rows []stored
	for i := range b.Runs {
		rows = append(rows, stored{Run: &b.Runs[i]})
	}
	for i := range b.Missed {
		rows = append(rows, stored{Missed: &b.Missed[i]})
	}
	for i := range b.Events {
		rows = append(rows, stored{Event: &b.Events[i]})
	}
	for i := range b.Gaps {
		rows = append(rows, stored{Gap: &b.Gaps[i]})
	}
	for i := range b.Audit {
		rows = append(rows, stored{Audit: &b.Audit[i]})
	}
	for i := range b.Logs {
		rows = append(rows, stored{Log: &b.Logs[i]})
	}
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	for _, row := range rows {
		if err := out.Encode(row); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// append adds text at the end of the file, or nothing.
func (j *JSONL) append(text []byte) error {
	if err := j.open(); err != nil {
		return err
	}
	if _, err := j.file.Write(text); err != nil {
		// A part may be there. Without it the next attempt starts clean.
		_ = j.file.Truncate(j.size)
		_ = j.file.Close()
		j.file = nil
		return err
	}
	j.size += int64(len(text))
	return j.file.Sync()
}

// open opens the file, unless it is open and has room.
func (j *JSONL) open() error {
	name := filepath.Join(j.dir, jsonlName)
	if j.file != nil && j.size >= j.o.MaxBytes {
		if err := j.rotate(name); err != nil {
			return err
		}
	}
	if j.file != nil {
		return nil
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := endLine(f)
	if err != nil {
		_ = f.Close()
		return err
	}
	j.file, j.size = f, size
	return nil
}

// endLine ends the last line of a file that a crash has cut, and returns the
// size of the file.
func endLine(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return size, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return size, nil
	}
	_, err = f.Write([]byte("\n"))
	return size + 1, err
}

// rotate renames the file, and removes the oldest files beyond Keep.
func (j *JSONL) rotate(name string) error {
	// The time has nine digits of a second: names are unique and in order.
	to := jsonlPrefix + time.Now().UTC().Format("20060102T150405.000000000Z") + jsonlSuffix
	err := j.file.Close()
	j.file = nil
	if err := errors.Join(err, os.Rename(name, filepath.Join(j.dir, to))); err != nil {
		return err
	}
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	var full []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), jsonlPrefix) && strings.HasSuffix(e.Name(), jsonlSuffix) {
			full = append(full, e.Name())
		}
	}
	slices.Sort(full)
	for len(full) > j.o.Keep {
		if err := os.Remove(filepath.Join(j.dir, full[0])); err != nil {
			return err
		}
		full = full[1:]
	}
	return nil
}

// Close closes the file. A later Write opens it again.
func (j *JSONL) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
