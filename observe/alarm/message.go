package alarm

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/observe"
)

// Message is one message to a target: an alarm, and how often it occurred.
type Message struct {
	// Name is the Name of the Config.
	Name string

	// Event is the latest event. Count is the number of such events since the
	// last message about them, and Since is the time of the first.
	Event observe.Event
	Count int
	Since time.Time

	// Omitted is the number of earlier alarms that the target did not get.
	Omitted int
}

// The largest sizes of an error, and of a detail such as a stack, in a message,
// in bytes. WeCom takes 2,048 in all.
const (
	maxError  = 500
	maxDetail = 800
)

// what returns the event in a word or two.
func what(e observe.Event) string {
	if Failed(e) {
		return "failed"
	}
	return string(e.Kind)
}

// Title returns the alarm in one line, such as "production: report/2 failed, 12
// times".
func (m Message) Title() string {
	var b strings.Builder
	if m.Name != "" {
		b.WriteString(m.Name + ": ")
	}
	switch {
	case m.Event.Job == "":
		b.WriteString(m.Event.Instance)
	case m.Event.Shard < 0 || m.Count > 1: // Shard is that of the latest event only
		b.WriteString(m.Event.Job)
	default:
		fmt.Fprintf(&b, "%s/%d", m.Event.Job, m.Event.Shard)
	}
	b.WriteString(" " + what(m.Event))
	if m.Count > 1 {
		fmt.Fprintf(&b, ", %d times", m.Count)
	}
	return oneLine(b.String())
}

// Text returns all fields of the alarm, in lines of "name: value", without the
// title.
func (m Message) Text() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	e := m.Event
	if m.Count > 1 {
		fmt.Fprintf(&b, "%d times since %s; the last:\n", m.Count, stamp(m.Since))
	}
	line("time", stamp(e.Time))
	line("instance", e.Instance)
	line("job", e.Job)
	if e.Job != "" && e.Shard >= 0 {
		line("shard", fmt.Sprint(e.Shard))
	}
	line("fire", stamp(e.Fire))
	if e.Attempt > 0 {
		line("attempt", fmt.Sprint(e.Attempt))
	}
	if e.Took > 0 {
		line("took", e.Took.String())
	}
	line("subject", e.Subject)
	if e.Err != nil {
		line("error", cut(e.Err.Error(), maxError))
	}
	line("detail", cut(e.Detail, maxDetail))
	if m.Omitted > 0 {
		fmt.Fprintf(&b, "%d alarms before this one were not sent\n", m.Omitted)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (m Message) whole() string { return m.Title() + "\n" + m.Text() }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// cut shortens a text to n bytes, between characters.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// oneLine replaces control characters, which could begin another line, by
// spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
}
