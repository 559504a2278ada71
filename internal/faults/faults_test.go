package faults_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/faults"
)

// An empty list is no error, also with a prefix or a name.
func TestList_EmptyIsNil(t *testing.T) {
	list := faults.List{Prefix: "jobs.yaml: "}
	list.Append(nil)
	list.Append(errors.Join(nil, nil))
	if err := list.Err(); err != nil || list.Len() != 0 {
		t.Errorf("got %v and %d faults, want none", err, list.Len())
	}
	if err := list.ErrOf("script is not valid"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// All faults are in one error, which wraps each. Faults of lines are sorted.
func TestList_ReportsAllFaults(t *testing.T) {
	var plain, file faults.List
	plain.AddField("dir", "can't be read: %w", io.ErrUnexpectedEOF)
	plain.Add("option %d is nil", 2)
	plain.Append(fmt.Errorf("read: %w", io.ErrClosedPipe))
	plain.Append(errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("one"))))
	file.Prefix = "jobs.yaml: "
	file.AddAt(9, "shards: %d is\ntoo much", 9)
	file.AddAt(4, "name: is empty")
	file.AddAt(9, "after this one")
	for _, row := range []struct {
		name string
		err  error
		want []string
	}{
		{"plain", plain.Err(), []string{"dir: can't be read: unexpected EOF", "option 2 is nil", "read: io: read/write on closed pipe", "one", "two"}},
		{"named", plain.ErrOf("x is not valid"), []string{"x is not valid: dir: can't be read: unexpected EOF", "option 2 is nil", "read: io: read/write on closed pipe", "one", "two"}},
		{"file", file.Err(), []string{"jobs.yaml: line 4: name: is empty", "jobs.yaml: line 9: shards: 9 is; too much", "jobs.yaml: line 9: after this one"}},
	} {
		if got, want := fmt.Sprint(row.err), strings.Join(row.want, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, got, want)
		}
	}
	if err := plain.ErrOf("x"); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v does not wrap the causes", err)
	}
}

// Of many faults the first ones by line are reported, and the number of the
// others. The texts of the others are never made.
func TestList_IsBounded(t *testing.T) {
	list := faults.List{Prefix: "f: "}
	made := 0
	for line := 1000; line > 0; line-- {
		list.AddAt(line, "%s", text(func() string { made++; return "wrong" }))
	}
	for line := 1001; line <= 100_000; line++ {
		list.AddAt(line, "%s", text(func() string { made++; return "wrong" }))
	}
	lines := strings.Split(list.Err().Error(), "\n")
	if len(lines) != faults.Max+1 || lines[0] != "f: line 1: wrong" || lines[49] != "f: line 50: wrong" || lines[50] != "f: and 99950 more faults" {
		t.Errorf("got %d lines: %q", len(lines), lines)
	}
	if made != 1000 || list.Len() != 100_000 {
		t.Errorf("made %d texts of %d faults, want 1000 of 100000", made, list.Len())
	}
}

type text func() string

func (f text) String() string { return f() }

// All finds the faults of fields below wrapped and joined errors.
func TestAll_FindsFaults(t *testing.T) {
	var list faults.List
	list.AddField("shards", "is 0")
	list.Add("no field")
	list.Append(&faults.Fault{Field: "sharding", Err: io.EOF, Local: true})
	got := faults.All(fmt.Errorf("job: %w", list.ErrOf("not valid")))
	if len(got) != 2 || got[0].Field != "shards" || got[0].Local || got[1].Field != "sharding" || !got[1].Local {
		t.Errorf("got %v", got)
	}
	if got := faults.All(nil); len(got) != 0 {
		t.Errorf("nil has %v", got)
	}
}
