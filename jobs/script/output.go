package script

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic"
)

// maxLine is the length in bytes at which a line is passed on in pieces.
const maxLine = 4 << 10

// Log returns a function for Script.Output. It writes each line to l at level
// Info, with the job, the shard and the key of the run.
func Log(l *slog.Logger) func(elastic.Run, string) {
	return func(run elastic.Run, line string) {
		l.Info("script", "job", run.Job, "shard", run.Shard, "key", run.Key(), "output", line)
	}
}

// output receives what one run of a script writes.
type output struct {
	run elastic.Run
	log io.Writer // the log of the run; nil: none

	mu    sync.Mutex // guards the fields below: a slow function can outlast the run
	to    func(elastic.Run, string)
	left  int // bytes that may still be passed on
	ended bool

	line    []byte // the last line, while it has no end
	omitted int    // bytes that were not passed on
	recent  []byte // the end of the output, at least tail bytes of it
	fault   error  // the panic of to
}

// Write never fails: a script must not die because its output cannot be passed
// on.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(p)
	if o.log != nil {
		_, _ = o.log.Write(p) // it never fails
	}
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

// end passes on the last line if it has no line end, and the number of bytes
// that were left out. It returns the end of the output, and the error of the
// function that received it.
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

// pass passes on the first n bytes of the line.
func (o *output) pass(n int) {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(o.line[:n], []byte("\r"))), "\uFFFD")
	o.line = append(o.line[:0], o.line[n:]...)
	if o.to == nil {
		return
	}
	defer func() {
		// This is a goroutine of package exec. A panic here would end the
		// program.
		if v := recover(); v != nil {
			o.to = nil
			o.fault = fmt.Errorf("function Output panicked: %v", v)
		}
	}()
	o.to(o.run, text)
}

// wholeRunes returns the number of bytes of b without a character at its end
// that is incomplete.
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

// keep stores the end of the output.
func (o *output) keep(p []byte) {
	o.recent = append(o.recent, p[max(0, len(p)-tail):]...)
	if extra := len(o.recent) - tail; extra > tail {
		o.recent = append(o.recent[:0], o.recent[extra:]...)
	}
}
