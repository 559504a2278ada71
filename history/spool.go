package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// defaultSpoolBytes bounds the spool where Options.SpoolBytes is 0.
	defaultSpoolBytes = 256 << 20

	// segmentBytes is the size from which on a segment gets no more rows.
	segmentBytes = 4 << 20

	// segmentSuffix is the end of the name of a segment. The name begins with
	// the number of the segment, in 16 hex digits.
	segmentSuffix = ".spool"

	// maxLine bounds a row in a segment. A log of 64 KiB that cannot be
	// compressed takes 88 KiB.
	maxLine = 1 << 20
)

// errSpoolFull is returned when a spool has no room for another row.
var errSpoolFull = errors.New("the spool is full")

// errSpoolInUse is returned when another process has a spool.
var errSpoolInUse = errors.New("another process uses it; give each process a directory of its own")

// spool is a queue of rows on disk, in segments of 4 MiB. A row is a line: the
// CRC32C of its JSON in hex, a space, and the JSON. A segment is removed when
// all of its rows are done. After a restart the rows of a segment that was read
// in part come again, which a sink must expect anyway.
//
// A spool is used by one goroutine.
type spool struct {
	dir      string
	max      int64
	lock     *os.File
	segments []segment // oldest first; the last one is written to if out is open
	out      *os.File  // nil: the next row begins a segment
	dirty    bool      // out has rows that are not synced
	next     uint64    // the number of the next segment
	own      uint64    // the number of the first segment of this process
	in       *os.File  // of the first segment
	read     int64     // the offset up to which rows were taken from it
	done     int64     // the offset up to which its rows are done
}

type segment struct {
	number uint64
	size   int64
	rows   int // that were not taken; what an earlier process left is counted once
}

// openSpool opens the spool in a directory, and makes the directory.
func openSpool(dir string, most int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open the spool in %s: %w", dir, err)
	}
	s := &spool{dir: dir, max: most, lock: lock}
	if err := s.scan(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open the spool in %s: %w", dir, err)
	}
	return s, nil
}

// scan finds the segments of earlier processes, and counts their rows.
func (s *spool) scan() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		digits, ok := strings.CutSuffix(entry.Name(), segmentSuffix)
		number, err := strconv.ParseUint(digits, 16, 63)
		if !ok || err != nil || len(digits) != 16 || !entry.Type().IsRegular() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(s.dir, entry.Name()))
		if err != nil {
			return err
		}
		s.next = max(s.next, number+1)
		s.segments = append(s.segments, segment{number, int64(len(content)), bytes.Count(content, []byte("\n"))})
	}
	slices.SortFunc(s.segments, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	s.own = s.next
	return nil
}

func (s *spool) path(number uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x%s", number, segmentSuffix))
}

// bytes returns the size of the spool.
func (s *spool) bytes() int64 {
	var n int64
	for _, seg := range s.segments {
		n += seg.size
	}
	return n
}

// rows returns the number of rows that were not taken.
func (s *spool) rows() int {
	n := 0
	for _, seg := range s.segments {
		n += seg.rows
	}
	return n
}

// crc is the table of CRC32C, which processors compute.
var crc = crc32.MakeTable(crc32.Castagnoli)

// stored is the form of a row in a segment. One field is set.
type stored struct {
	Run    *Run    `json:"run,omitempty"`
	Missed *Missed `json:"missed,omitempty"`
	Event  *Event  `json:"event,omitempty"`
	Gap    *Gap    `json:"gap,omitempty"`
	Audit  *Audit  `json:"audit,omitempty"`
	Log    *Log    `json:"log,omitempty"`
}

func storedOf(row Row) stored {
	var s stored
	switch row := row.(type) {
	case *Run:
		s.Run = row
	case *Missed:
		s.Missed = row
	case *Event:
		s.Event = row
	case *Gap:
		s.Gap = row
	case *Audit:
		s.Audit = row
	case *Log:
		s.Log = row
	case *output:
		s.Log = row.compress()
	}
	return s
}

// row returns the row; nil if there is none.
func (s stored) row() Row {
	switch {
	case s.Run != nil:
		return s.Run
	case s.Missed != nil:
		return s.Missed
	case s.Event != nil:
		return s.Event
	case s.Gap != nil:
		return s.Gap
	case s.Audit != nil:
		return s.Audit
	case s.Log != nil:
		return s.Log
	}
	return nil
}

// line returns a row as it stands in a segment.
func line(row Row) ([]byte, error) {
	text, err := json.Marshal(storedOf(row))
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(text)+10)
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, crc))
	return append(append(b, text...), '\n'), nil
}

// parse reads a line without its end. It returns nil if the line is damaged.
func parse(line []byte) Row {
	if len(line) < 9 || line[8] != ' ' {
		return nil
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], crc) {
		return nil
	}
	var s stored
	if json.Unmarshal(line[9:], &s) != nil {
		return nil
	}
	row := s.row()
	if row == nil {
		return nil
	}
	return row.clean() // a file is not trusted
}

// append adds rows at the end, and returns how many. It returns errSpoolFull,
// or the error of the disk; then the rows from there on were not added.
func (s *spool) append(rows []Row) (int, error) {
	for i, row := range rows {
		b, err := line(row)
		if err != nil {
			return i, err
		}
		if s.bytes()+int64(len(b)) > s.max {
			return i, errSpoolFull
		}
		if err := s.write(b); err != nil {
			return i, fmt.Errorf("write to the spool in %s: %w", s.dir, err)
		}
	}
	return len(rows), nil
}

func (s *spool) write(b []byte) error {
	if s.out != nil && s.segments[len(s.segments)-1].size >= segmentBytes {
		if err := s.finish(); err != nil {
			return err
		}
	}
	if s.out == nil {
		f, err := os.OpenFile(s.path(s.next), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		s.next++
		if err != nil {
			return err
		}
		s.out = f
		s.segments = append(s.segments, segment{number: s.next - 1})
	}
	last := &s.segments[len(s.segments)-1]
	if _, err := s.out.Write(b); err != nil {
		// A part of the row may be there. It would be read as a damaged row.
		_ = s.out.Truncate(last.size)
		_, _ = s.out.Seek(last.size, io.SeekStart)
		return err
	}
	last.size += int64(len(b))
	last.rows++
	s.dirty = true
	return nil
}

// sync makes the rows that were appended survive a crash of the machine.
func (s *spool) sync() error {
	if !s.dirty {
		return nil
	}
	s.dirty = false
	if err := s.out.Sync(); err != nil {
		return fmt.Errorf("sync the spool in %s: %w", s.dir, err)
	}
	return nil
}

// finish ends the segment that is written to.
func (s *spool) finish() error {
	if s.out == nil {
		return nil
	}
	err := s.sync()
	err = errors.Join(err, s.out.Close())
	s.out = nil
	return err
}

// taken is rows that were read from a spool.
type taken struct {
	rows    []Row
	damaged int  // rows that could not be read
	foreign bool // an earlier process put them there
}

func (t taken) total() int { return len(t.rows) + t.damaged }

// take returns the next rows, at most n of one segment. They stay in the spool
// until complete is called, and come again if it is not.
func (s *spool) take(n int) (taken, error) {
	for len(s.segments) > 0 {
		rows, damaged, err := s.takeFirst(n)
		if err != nil {
			return taken{}, fmt.Errorf("read the spool in %s: %w", s.dir, err)
		}
		if len(rows)+damaged > 0 {
			return taken{rows, damaged, s.segments[0].number < s.own}, nil
		}
		if err := s.removeFirst(); err != nil {
			return taken{}, fmt.Errorf("remove a segment of the spool in %s: %w", s.dir, err)
		}
	}
	return taken{}, nil
}

func (s *spool) takeFirst(n int) (rows []Row, damaged int, err error) {
	seg := &s.segments[0]
	if s.in == nil {
		in, err := os.Open(s.path(seg.number))
		if err != nil {
			return nil, 0, err
		}
		s.in = in
		s.read, s.done = 0, 0
	}
	if _, err := s.in.Seek(s.done, io.SeekStart); err != nil {
		return nil, 0, err
	}
	s.read = s.done
	in := bufio.NewReaderSize(io.LimitReader(s.in, seg.size-s.done), 64<<10)
	for len(rows)+damaged < n {
		line, err := in.ReadSlice('\n')
		length := int64(len(line))
		for errors.Is(err, bufio.ErrBufferFull) && length < maxLine {
			line = slices.Clone(line)
			var more []byte
			more, err = in.ReadSlice('\n')
			line = append(line, more...)
			length += int64(len(more))
		}
		if errors.Is(err, io.EOF) && length == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, 0, err
		}
		s.read += length
		row := parse(bytes.TrimSuffix(line, []byte("\n")))
		if row == nil {
			damaged++
			continue
		}
		rows = append(rows, row)
	}
	return rows, damaged, nil
}

// complete removes the rows of the last take. n is their number, with those
// that were damaged.
func (s *spool) complete(n int) error {
	if len(s.segments) == 0 {
		return nil
	}
	first := &s.segments[0]
	s.done = s.read
	first.rows = max(first.rows-n, 0)
	if s.done < first.size {
		return nil
	}
	return s.removeFirst()
}

// removeFirst removes the oldest segment.
func (s *spool) removeFirst() error {
	first := s.segments[0]
	if s.in != nil {
		_ = s.in.Close()
		s.in = nil
	}
	if len(s.segments) == 1 && s.out != nil {
		s.dirty = false // its rows are done
		_ = s.out.Close()
		s.out = nil
	}
	s.segments = s.segments[1:]
	s.read, s.done = 0, 0
	if err := os.Remove(s.path(first.number)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// close ends the use of the spool. Its rows stay.
func (s *spool) close() error {
	err := s.finish()
	if s.in != nil {
		_ = s.in.Close()
	}
	return errors.Join(err, s.lock.Close())
}
