package checker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// History is what happened. All times are of one clock.
type History struct {
	Lines []Line        // what handlers did
	Acts  []Act         // what was done to processes, to the very end
	Final []store.Entry // what the store held when all was over

	TTL   time.Duration // of the sessions
	Bound time.Duration // what anything may take that waits neither for a TTL nor for a run
	End   time.Time     // what was due later does not count: the processes were asked to leave
}

// Line is what a handler did. See examples/worker, which writes them.
type Line struct {
	Event    string    `json:"event"` // start, end
	Job      string    `json:"job"`
	Shard    int       `json:"shard"`
	Fire     time.Time `json:"fire"`
	Attempt  int       `json:"attempt"`
	Fence    uint64    `json:"fence"`
	PID      int       `json:"pid"`
	Instance string    `json:"instance,omitempty"`
	Time     time.Time `json:"time"`
	Outcome  string    `json:"outcome,omitempty"` // of an end: ok; "unfinished: " if it was told to stop; else the error
}

// Act is something that was done to a process, or to a job. PID 0 is the store:
// while it is stopped, or killed and not started again, nobody can reach it.
type Act struct {
	Time time.Time // when it was certain: of a kill, when the process was gone; of a disable, when it was acknowledged
	Kind Kind
	PID  int
	Job  string // of Disable and Enable
}

func (a Act) target() string {
	if a.Job != "" {
		return a.Job
	}
	return strconv.Itoa(a.PID)
}

// Kind is what was done.
type Kind string

// The kinds of acts.
const (
	Start Kind = "start" // it was started
	Kill  Kind = "kill"  // it is gone without a word, by kill -9
	Stop  Kind = "stop"  // it is frozen, by SIGSTOP
	Cont  Kind = "cont"  // it goes on
	Term  Kind = "term"  // it was asked to leave
	Exit  Kind = "exit"  // it has left
	Cut   Kind = "cut"   // it can't reach the store
	Heal  Kind = "heal"  // it can again

	Disable Kind = "disable" // a job was disabled, and whoever asked for that was told so
	Enable  Kind = "enable"  // it was enabled: from when that was asked for
)

// ReadLines reads what handlers wrote, a line each.
func ReadLines(r io.Reader) ([]Line, error) {
	var lines []Line
	in := bufio.NewScanner(r)
	for in.Scan() {
		l, err := parseLine(in.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, l)
	}
	return lines, in.Err()
}

func parseLine(text string) (l Line, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return l, fmt.Errorf("%w: %q", err, text)
	}
	if l.Event != "start" && l.Event != "end" || l.Fence == 0 || l.Attempt < 1 || l.Fire.IsZero() || l.Time.IsZero() {
		return l, fmt.Errorf("not a start or an end with fire, attempt, fence and time: %q", text)
	}
	return l, nil
}

// Write writes a history as text that Read reads:
//
//	# a comment
//	ttl 2s
//	bound 5s
//	end 2026-01-02T03:04:05Z
//	{"event":"start", …}                    a line
//	2026-01-02T03:04:02.5Z kill 101         an act
//	runs/report/0 {"v":1, …}                a key of the store in the end
func (h History) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ttl %s\nbound %s\nend %s\n\n", h.TTL, h.Bound, h.End.Format(time.RFC3339Nano))
	type timed struct {
		at   time.Time
		text string
	}
	var all []timed
	for _, l := range h.Lines {
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		all = append(all, timed{l.Time, string(text)})
	}
	for _, a := range h.Acts {
		all = append(all, timed{a.Time, fmt.Sprintf("%s %s %s", a.Time.Format(time.RFC3339Nano), a.Kind, a.target())})
	}
	slices.SortStableFunc(all, func(a, b timed) int { return a.at.Compare(b.at) })
	for _, t := range all {
		fmt.Fprintln(&b, t.text)
	}
	fmt.Fprintln(&b)
	for _, e := range h.Final {
		fmt.Fprintf(&b, "%s %s\n", e.Key, e.Value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Read reads what Write has written.
func Read(r io.Reader) (h History, err error) {
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		text := strings.TrimSpace(in.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if err := h.take(text); err != nil {
			return h, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return h, in.Err()
}

func (h *History) take(text string) (err error) {
	first, rest, _ := strings.Cut(text, " ")
	switch {
	case first == "ttl":
		h.TTL, err = time.ParseDuration(rest)
	case first == "bound":
		h.Bound, err = time.ParseDuration(rest)
	case first == "end":
		h.End, err = time.Parse(time.RFC3339Nano, rest)
	case text[0] == '{':
		var l Line
		l, err = parseLine(text)
		h.Lines = append(h.Lines, l)
	case strings.Contains(first, "/"):
		h.Final = append(h.Final, store.Entry{Key: first, Value: []byte(rest)})
	default:
		var a Act
		kind, pid, _ := strings.Cut(rest, " ")
		if a.Time, err = time.Parse(time.RFC3339Nano, first); err == nil {
			a.Kind = Kind(kind)
			if a.Kind == Disable || a.Kind == Enable {
				a.Job = pid
			} else {
				a.PID, err = strconv.Atoi(pid)
			}
		}
		h.Acts = append(h.Acts, a)
	}
	return err
}

// Life returns what happened to one shard, and to the processes meanwhile, as
// text for people.
func (h History) Life(job string, shard int) string {
	var own History
	for _, l := range h.Lines {
		if l.Job == job && l.Shard == shard {
			own.Lines = append(own.Lines, l)
		}
	}
	type timed struct {
		at   time.Time
		text string
	}
	var all []timed
	for _, l := range own.Lines {
		all = append(all, timed{l.Time, fmt.Sprintf("%-5s fire %s attempt %d fence %d pid %d %s %s",
			l.Event, l.Fire.Format(time.TimeOnly), l.Attempt, l.Fence, l.PID, l.Instance, l.Outcome)})
	}
	for _, a := range h.Acts {
		all = append(all, timed{a.Time, fmt.Sprintf("%-5s %s", a.Kind, a.target())})
	}
	slices.SortStableFunc(all, func(a, b timed) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, t := range all {
		fmt.Fprintf(&b, "%s %s\n", t.at.Format(clock), t.text)
	}
	for _, e := range h.Final {
		if e.Key == fmt.Sprintf("runs/%s/%d", job, shard) {
			fmt.Fprintf(&b, "in the end: %s\n", e.Value)
		}
	}
	return b.String()
}
