package conformance

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// attempt is one try at a case. It notes a failure instead of failing, because
// the process may have been paused, or the store may be a mutant that is meant
// to fail. It takes the place of the *testing.T.
type attempt struct {
	testing.TB
	started time.Time

	mu       sync.Mutex
	failure  string // the first; empty if the case passed
	skipped  string // why
	cleanups []func()
	report   string // helps to understand the failure
}

// try runs a case once, its cleanups included.
func try(t testing.TB, h Harness, c testCase) *attempt {
	a := &attempt{TB: t, started: time.Now()}
	finished := make(chan struct{})
	go func() { // Fatal ends the goroutine
		defer close(finished)
		defer a.clean()
		var tt *test
		defer func() {
			if a.Failed() && tt != nil {
				a.report = tt.report()
			}
		}()
		defer func() {
			if p := recover(); p != nil {
				a.note(fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		tt = newTest(a, h)
		c.run(tt)
	}()
	<-finished
	return a
}

// note keeps the first failure, with its line of the case.
func (a *attempt) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == "" {
		a.failure = caller() + text
	}
}

// helperFiles hold the methods that cases call.
var helperFiles = []string{"attempt.go", "case.go", "client.go", "expect.go", "follow.go", "report.go"}

// caller returns the place in a case, and not one in the methods that it calls.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		file := filepath.Base(frame.File)
		if !slices.Contains(helperFiles, file) {
			return fmt.Sprintf("%s:%d: ", file, frame.Line)
		}
		if !more {
			return ""
		}
	}
}

func (a *attempt) clean() {
	for {
		a.mu.Lock()
		last := len(a.cleanups) - 1
		if last < 0 {
			a.mu.Unlock()
			return
		}
		f := a.cleanups[last]
		a.cleanups = a.cleanups[:last]
		a.mu.Unlock()
		f()
	}
}

// Cleanup and the rest are those of testing.TB.
func (a *attempt) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *attempt) Failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure != ""
}

func (a *attempt) Skipped() bool { return a.reason() != "" }

// reason returns why the case was skipped.
func (a *attempt) reason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.skipped
}

func (a *attempt) SkipNow() { a.Skip("skipped") }

// Skip is for reasons that only show while the case runs, such as members of a
// cluster that can't be separated.
func (a *attempt) Skip(args ...any) {
	a.mu.Lock()
	a.skipped = fmt.Sprint(args...)
	a.mu.Unlock()
	runtime.Goexit()
}

func (a *attempt) Fail()                             { a.note("failed") }
func (a *attempt) FailNow()                          { a.note("failed"); runtime.Goexit() }
func (a *attempt) Error(args ...any)                 { a.note(fmt.Sprint(args...)) }
func (a *attempt) Errorf(format string, args ...any) { a.note(fmt.Sprintf(format, args...)) }
func (a *attempt) Fatal(args ...any)                 { a.note(fmt.Sprint(args...)); runtime.Goexit() }
func (a *attempt) Fatalf(format string, args ...any) {
	a.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}
func (a *attempt) Skipf(format string, args ...any) { a.Skip(fmt.Sprintf(format, args...)) }

// stalls notes when the process was paused for so long that a session may have
// been lost.
type stalls struct {
	mu     sync.Mutex
	seen   time.Time // until when the process was watched
	last   time.Time
	length time.Duration // of the last
}

// A session is renewed at the latest after a third of its TTL and lost, in the
// strictest driver, after four fifths: a quarter of the shortest TTL is a stall
// that it can survive.
const longStall = shortTTL / 4

// watchForStalls watches until the case ends.
func watchForStalls(t testing.TB) *stalls {
	const every = 20 * time.Millisecond
	s := &stalls{}
	ended, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-ended:
				return
			case <-ticker.C:
			}
			now := time.Now()
			s.mu.Lock()
			if length := now.Sub(last) - every; length > longStall {
				s.last, s.length = now, length
			}
			s.seen = now
			s.mu.Unlock()
			last = now
		}
	}()
	t.Cleanup(func() { close(ended); <-finished })
	return s
}

// since returns the length of the last stall if it was after a time, and zero
// otherwise.
func (s *stalls) since(t time.Time) time.Duration {
	for now := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		seen, last, length := s.seen, s.last, s.length
		s.mu.Unlock()
		switch {
		case seen.Before(now): // after a stall the case may be awake before the watcher is
		case last.Before(t):
			return 0
		default:
			return length
		}
	}
}

// attempts is how often a case is run that fails while the process stands
// still.
const attempts = 5

// run runs a case until it passes, or fails without a pause of the process. A
// wrong driver fails each time.
func run(t testing.TB, h Harness, c testCase, s *stalls) *attempt {
	for n := 1; ; n++ {
		a := try(t, h, c)
		stall := s.since(a.started)
		if !a.Failed() || stall == 0 || n == attempts {
			return a
		}
		t.Logf("again, because the process stood still for %v: %s", stall, a.failure)
	}
}
