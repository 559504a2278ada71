package script

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic"
)

// maxLine is how long a line may get before it is handed on in pieces.
const maxLine = 4 << 10

// Log returns a function for Script.Output that writes each line to l as Info, with the job, shard and fire it belongs to.
func Log(l *slog.Logger) func(elastic.Run, string) {
	return func(run elastic.Run, line string) {
		l.Info("script", "job", run.Job, "shard", run.Shard, "key", run.Key(), "output", line)
	}
}

// output takes what one run of a script writes.
type output struct {
	shard elastic.Run

	mu    sync.Mutex // when to takes its time the run may be over before Write is
	to    func(elastic.Run, string)
	left  int // bytes that may still be handed on
	ended bool

	line    []byte // that has no end yet
	omitted int    // bytes that were not handed on
	recent  []byte // the end of it all: at least tail bytes, if there were so many
	fault   error  // of to
}

// Write never fails: a script must not die of what becomes of its output.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(p)
	if o.to == nil || o.ended {
		return len(p), nil
	}
	fits := p[:min(len(p), o.left)]
	o.left -= len(fits)
	o.omitted += len(p) - len(fits)
	for rest := fits; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		rest = after
		o.line = append(o.line, part...)
		for len(o.line) > maxLine {
			o.pass(wholeRunes(o.line[:maxLine]))
		}
		if ended {
			o.pass(len(o.line))
		}
	}
	return len(p), nil
}

// end hands on what has no line end, and says what was left out. It returns the end of it all, and what was wrong with the function
// that it was handed to.
func (o *output) end() (last string, fault error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	if len(o.line) > 0 {
		o.pass(len(o.line))
	}
	if o.omitted > 0 {
		o.line = fmt.Appendf(nil, "… %d bytes of output are left out", o.omitted)
		o.pass(len(o.line))
	}
	recent := o.recent[max(0, len(o.recent)-tail):]
	return strings.ToValidUTF8(strings.TrimSpace(string(recent)), "\uFFFD"), o.fault
}

// pass hands on the first n bytes of the line.
func (o *output) pass(n int) {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(o.line[:n], []byte("\r"))), "\uFFFD")
	o.line = append(o.line[:0], o.line[n:]...)
	if o.to == nil {
		return
	}
	defer func() {
		// This is a goroutine of package exec: a panic here would end the program.
		if v := recover(); v != nil {
			o.to, o.fault = nil, fmt.Errorf("the function for its output panicked: %v", v)
		}
	}()
	o.to(o.shard, text)
}

// wholeRunes returns how many bytes of b are left without a character at its end that is cut off.
func wholeRunes(b []byte) int {
	for back := 1; back < utf8.UTFMax; back++ {
		if utf8.RuneStart(b[len(b)-back]) {
			if !utf8.FullRune(b[len(b)-back:]) {
				return len(b) - back
			}
			break
		}
	}
	return len(b)
}

// keep remembers the end of the output.
func (o *output) keep(p []byte) {
	o.recent = append(o.recent, p[max(0, len(p)-tail):]...)
	if extra := len(o.recent) - tail; extra > tail {
		o.recent = append(o.recent[:0], o.recent[extra:]...)
	}
}
