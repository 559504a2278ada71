package checker

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, text string) History {
	t.Helper()
	h, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func report(found []Violation) string {
	var b strings.Builder
	for _, v := range found {
		fmt.Fprintln(&b, v)
	}
	return b.String()
}

func TestAGoodHistoryBreaksNothing(t *testing.T) {
	if found := read(t, file(t, "testdata/good.txt")).Check(); len(found) > 0 {
		t.Errorf("got:\n%s\nwant nothing", report(found))
	}
}

func TestADoctoredHistoryBreaksJustWhatItsFileSays(t *testing.T) {
	good := strings.Split(file(t, "testdata/good.txt"), "\n")
	paths, _ := filepath.Glob("testdata/*.txt")
	seen := map[string]bool{}
	for _, path := range paths {
		if path == "testdata/good.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, text := doctor(t, good, file(t, path))
			found := read(t, text).Check()
			var got []string
			for _, v := range found {
				got = append(got, fmt.Sprint(v.Invariant))
			}
			slices.Sort(got)
			got = slices.Compact(got)
			if !slices.Equal(got, want) {
				t.Errorf("got invariants %v, want %v:\n%s", got, want, report(found))
			}
			for _, n := range want {
				seen[n] = true
			}
			t.Log("\n" + report(found))
		})
	}
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		if !seen[n] {
			t.Errorf("no file breaks invariant %s", n)
		}
	}
}

// doctor applies what a file says to the lines of the good history. A line
// after - is taken out, one after + is put in.
func doctor(t *testing.T, good []string, edits string) (want []string, text string) {
	t.Helper()
	lines := slices.Clone(good)
	for edit := range strings.Lines(edits) {
		edit = strings.TrimSpace(edit)
		what, line, _ := strings.Cut(edit, " ")
		switch what {
		case "", "#":
		case "want":
			want = strings.Fields(line)
		case "-":
			i := slices.Index(lines, line)
			if i < 0 {
				t.Fatalf("not a line of the good history: %s", line)
			}
			lines = slices.Delete(lines, i, i+1)
		case "+":
			lines = append(lines, line)
		default:
			t.Fatalf("can't read %q", edit)
		}
	}
	return want, strings.Join(lines, "\n")
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	h := read(t, file(t, "testdata/good.txt"))
	var text bytes.Buffer
	if err := h.Write(&text); err != nil {
		t.Fatal(err)
	}
	again := read(t, text.String())
	if fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", h) {
		t.Errorf("got\n%+v\nwant\n%+v", again, h)
	}
}

func TestALineThatIsTornIsRefused(t *testing.T) {
	for _, text := range []string{
		`{"event":"start","job":"report","sha`,
		`{"event":"began","job":"report","shard":0,"fire":"2026-01-02T10:00:02Z","attempt":1,"fence":1,"pid":1,"time":"2026-01-02T10:00:02Z"}`,
		`{"event":"start","job":"report","shard":0,"fire":"2026-01-02T10:00:02Z","attempt":1,"pid":1,"time":"2026-01-02T10:00:02Z"}`,
		`{}`,
	} {
		if lines, err := ReadLines(strings.NewReader(text)); err == nil {
			t.Errorf("%s: got %v, want an error", text, lines)
		}
	}
}

// An act can be noted while another one of its kind lasts: the first end is the
// end of both, and none of them lasts for ever.
func TestActsThatOverlapEndTogether(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	p := processesOf([]Act{
		{at(0), Start, 7, ""}, {at(1), Stop, 7, ""}, {at(2), Stop, 7, ""}, {at(10), Cont, 7, ""}, {at(11), Cont, 7, ""},
		{at(20), Cut, 7, ""}, {at(21), Cut, 7, ""}, {at(25), Heal, 7, ""}, {at(26), Heal, 7, ""},
	}, 2*time.Second).at(7, at(0))
	for s, want := range map[int]bool{1: true, 5: true, 9: true, 13: false, 20: true, 24: true, 30: false, 59: false} {
		if got := p.lostBetween(at(s), at(s)); got != want {
			t.Errorf("second %d: got %v, want %v", s, got, want)
		}
	}
}
