package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/failover"
)

func open(t *testing.T, dir string, most int64) *spool {
	t.Helper()
	s, err := openSpool(dir, most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func numbered(from, to int) []Row {
	var rows []Row
	for n := from; n < to; n++ {
		rows = append(rows, row(n, failover.ResultFailed))
	}
	return rows
}

// drain takes all rows, and returns their fences.
func drain(t *testing.T, s *spool) (got []int64, damaged int) {
	t.Helper()
	for {
		took, err := s.take(100)
		if err != nil {
			t.Fatal(err)
		}
		if took.total() == 0 {
			return got, damaged
		}
		for _, r := range took.rows {
			got = append(got, r.(*Run).Fence)
		}
		damaged += took.damaged
		if err := s.complete(took.total()); err != nil {
			t.Fatal(err)
		}
	}
}

func inOrder(got []int64, from, to int) error {
	if len(got) != to-from {
		return fmt.Errorf("got %d rows, want %d", len(got), to-from)
	}
	for i, fence := range got {
		if fence != int64(from+i) {
			return fmt.Errorf("row %d has fence %d, want %d", i, fence, from+i)
		}
	}
	return nil
}

// Rows come back in order, also after a restart, and leave no file behind.
func TestSpool_KeepsTheOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<30)
	const most = 40_000 // several segments
	for n := 0; n < most; n += 500 {
		if _, err := s.append(numbered(n, n+500)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.segments) < 2 {
		t.Fatalf("%d segments, want several", len(s.segments))
	}
	took, err := s.take(100)
	if err != nil || len(took.rows) != 100 {
		t.Fatalf("took %d rows, %v", len(took.rows), err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, 1<<30)
	if s.rows() != most {
		t.Errorf("%d rows are left, want %d: those taken were not completed", s.rows(), most)
	}
	if _, err := s.append(numbered(most, most+10)); err != nil {
		t.Fatal(err)
	}
	got, damaged := drain(t, s)
	if err := inOrder(got, 0, most+10); err != nil || damaged != 0 {
		t.Errorf("%v, %d damaged", err, damaged)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if len(files) != 0 || s.bytes() != 0 || s.rows() != 0 {
		t.Errorf("left: files %q, %d bytes, %d rows", files, s.bytes(), s.rows())
	}
}

// Rows of all types come back as they were.
func TestSpool_KeepsAllTypes(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20)
	rows := []Row{
		&Run{RunKey: RunKey{Job: "a\n", Fence: -5}, Error: "<&>\u2028", Trace: TraceID{1, 2}},
		&Missed{Job: "b", Shards: "0-4", Count: 3},
		&Event{Kind: "joined", Seq: 9},
		&Gap{Count: 7},
		&Audit{ID: "c"},
		&Log{RunKey: RunKey{Job: "d"}, Gzip: []byte{0, 1, 255}},
		&output{log: Log{RunKey: RunKey{Job: "e"}}, text: []byte("hello\n")},
	}
	if _, err := s.append(rows); err != nil {
		t.Fatal(err)
	}
	took, err := s.take(100)
	if err != nil || len(took.rows) != len(rows) || took.damaged != 0 {
		t.Fatalf("took %+v, %v", took, err)
	}
	for i, r := range rows[:6] {
		got, _ := line(took.rows[i])
		want, _ := line(r)
		if string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	text, err := took.rows[6].(*Log).Text()
	if string(text) != "hello\n" || err != nil {
		t.Errorf("the log is %q, %v", text, err)
	}
}

// Damaged rows are passed over and counted: flipped bits, a torn end, garbage,
// and a line without end.
func TestSpool_PassesDamage(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"a flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a torn end":    func(b []byte) []byte { return b[:len(b)-3] },
		"garbage":       func(b []byte) []byte { return append([]byte("garbage\n"), b...) },
		"a long line":   func(b []byte) []byte { return append([]byte(strings.Repeat("x", 3<<20)+"\n"), b...) },
		"an empty line": func(b []byte) []byte { return append([]byte("\n"), b...) },
		"no row":        func(b []byte) []byte { return append([]byte("a82b0d5e {}\n"), b...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, 1<<30)
			if _, err := s.append(numbered(0, 10)); err != nil {
				t.Fatal(err)
			}
			name := s.path(s.segments[0].number)
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			got, damaged := drain(t, open(t, dir, 1<<30))
			if damaged == 0 || len(got) < 9 || len(got) > 10 {
				t.Errorf("got %d rows and %d damaged", len(got), damaged)
			}
		})
	}
}

// One process has a spool at a time.
func TestSpool_HasOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if _, err := openSpool(dir, 1<<20); !errors.Is(err, errSpoolInUse) {
		t.Errorf("a second spool: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 1<<20)
}

// A full spool takes no more rows, and keeps to its bound.
func TestSpool_KeepsToItsBound(t *testing.T) {
	s := open(t, t.TempDir(), 10_000)
	n, err := s.append(numbered(0, 1000))
	if !errors.Is(err, errSpoolFull) || n == 0 || s.bytes() > 10_000 {
		t.Fatalf("took %d rows of %d bytes: %v", n, s.bytes(), err)
	}
	got, _ := drain(t, s)
	if err := inOrder(got, 0, n); err != nil {
		t.Error(err)
	}
	if m, err := s.append(numbered(n, n+10)); m != 10 || err != nil {
		t.Errorf("an empty spool took %d rows: %v", m, err)
	}
}

// Files of others in the directory are left alone.
func TestSpool_LeavesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"notes.txt", "1.spool", "zzzzzzzzzzzzzzzz.spool"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, 1<<20)
	if got, damaged := drain(t, s); len(got)+damaged != 0 {
		t.Errorf("it read %d rows", len(got)+damaged)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 4 { // and the lock
		t.Errorf("got %v", entries)
	}
}

func FuzzSpool_Parse(f *testing.F) {
	b, err := line(row(1, failover.ResultFailed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-1])
	f.Add([]byte("00000000 {}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		row := parse(b)
		if row == nil {
			return
		}
		again, err := line(row)
		if err != nil {
			t.Fatalf("a row that was read cannot be written: %v", err)
		}
		if parse(again[:len(again)-1]) == nil {
			t.Errorf("a row that was written cannot be read: %s", again)
		}
	})
}
