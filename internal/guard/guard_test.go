package guard_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// Call returns what the function returned, and a fault of its own for each way
// in which it does not return.
func TestCall_SaysHowItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		if v, err := guard.Call(time.Second, func() int { return 7 }); v != 7 || err != nil {
			t.Errorf("returned: got %d, %v", v, err)
		}
		var panicked *guard.Panic
		if v, err := guard.Call(time.Second, func() int { panic("boom") }); v != 0 || !errors.As(err, &panicked) || panicked.Value != "boom" {
			t.Errorf("panicked: got %d, %v", v, err)
		}
		if _, err := guard.Call(time.Second, func() int { runtime.Goexit(); return 1 }); err != guard.ErrExited {
			t.Errorf("exited: got %v", err)
		}
		began := time.Now()
		var blocked *guard.Blocked
		if _, err := guard.Call(time.Second, func() int { <-end; return 1 }); !errors.As(err, &blocked) || blocked.After != time.Second {
			t.Errorf("blocked: got %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it was waited for %s, want 1s", took)
		}
	})
}

// rogue is a value and an error whose methods do what they like.
type rogue struct{ do func() string }

func (r rogue) Error() string  { return r.do() }
func (r rogue) String() string { return r.do() }

// typed is an error that is often returned as a typed nil.
type typed struct{ text string }

func (e *typed) Error() string { return e.text }

// Show always returns a text, whatever the Error method does, and says with a
// fault why it is not the error's own.
func TestShow_AlwaysHasAText(t *testing.T) {
	var none *typed
	for name, tt := range map[string]struct {
		err  func(end chan struct{}) error
		want string // is in the text
		ok   bool   // there is no fault
	}{
		"sound":     {func(chan struct{}) error { return errors.New("no paper") }, "no paper", true},
		"empty":     {func(chan struct{}) error { return errors.New("") }, "", true},
		"typed nil": {func(chan struct{}) error { return none }, "a nil *guard_test.typed", true},
		"panics":    {func(chan struct{}) error { return rogue{func() string { panic("boom") }} }, "whose Error method panicked: boom", false},
		"exits":     {func(chan struct{}) error { return rogue{func() string { runtime.Goexit(); return "" }} }, "runtime.Goexit", false},
		"blocks":    {func(end chan struct{}) error { return rogue{func() string { <-end; return "" }} }, "did not return within 5s", false},
		"long":      {func(chan struct{}) error { return errors.New(strings.Repeat("é", 1<<20)) }, "é…", true},
		"not UTF-8": {func(chan struct{}) error { return errors.New("a\xffb") }, "a\uFFFDb", true},
		"panics oddly": {func(chan struct{}) error {
			return rogue{func() string { panic(rogue{func() string { panic("again") }}) }}
		}, "panicked", false},
		"panics on text": {func(end chan struct{}) error {
			return rogue{func() string { panic(rogue{func() string { <-end; return "" }}) }}
		}, "did not return", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				text, fault := guard.Show(tt.err(end))
				if !strings.Contains(text, tt.want) || (fault == nil) != tt.ok {
					t.Errorf("got %.200q, fault %v; want %q", text, fault, tt.want)
				}
				if len(text) > 17<<10 || !utf8.ValidString(text) {
					t.Errorf("the text has %d bytes; valid UTF-8: %t", len(text), utf8.ValidString(text))
				}
			})
		})
	}
}

// Cut keeps to the bound, between characters, and returns valid UTF-8.
func TestCut_KeepsToTheBound(t *testing.T) {
	for _, row := range []struct {
		text string
		n    int
		want string
	}{
		{"", 10, ""},
		{"short", 5, "short"},
		{"too long", 7, "too …"},
		{"ééééé", 7, "éé…"},
		{"a\xff", 10, "a\uFFFD"},
	} {
		if got := guard.Cut(row.text, row.n); got != row.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", row.text, row.n, got, row.want)
		}
	}
}

// The detail of a panic has the value and the calls of the program, innermost
// first, in one line, and none of the runtime or of this package.
func TestPanic_DetailIsOneLine(t *testing.T) {
	var p *guard.Panic
	if err := guard.Catch(outer); !errors.As(err, &p) {
		t.Fatalf("got %v", err)
	}
	detail := p.Detail()
	inner, outer := strings.Index(detail, "guard_test.inner"), strings.Index(detail, "guard_test.outer")
	if !strings.HasPrefix(detail, "boom; in ") || inner < 0 || outer < inner || strings.Contains(detail, "\n") || strings.Contains(detail, "runtime.") {
		t.Errorf("got %s", detail)
	}
	if got := (&guard.Panic{Value: "boom"}).Detail(); got != "boom" {
		t.Errorf("without calls: got %q", got)
	}
}

func outer() { inner() }
func inner() { panic("boom") }

// IsNil sees nils inside interfaces, and takes no zero value for one.
func TestIsNil_SeesNilsInside(t *testing.T) {
	var pointer *typed
	var function func()
	var table map[string]int
	var list []int
	var channel chan int
	for _, v := range []any{nil, pointer, function, table, list, channel, error(pointer)} {
		if !guard.IsNil(v) {
			t.Errorf("%T: want nil", v)
		}
	}
	for _, v := range []any{0, "", false, typed{}, &typed{}, func() {}, []int{}, [0]int{}} {
		if guard.IsNil(v) {
			t.Errorf("%T: want not nil", v)
		}
	}
}

// Error shows its text without a call of the program's methods, and unwraps to
// the error of the program.
func TestError_KeepsTheCause(t *testing.T) {
	cause := fmt.Errorf("load: %w", &typed{"no paper"})
	err := error(&guard.Error{Err: cause, Text: "as shown"})
	var inner *typed
	if err.Error() != "as shown" || !errors.Is(err, cause) || !errors.As(err, &inner) || inner.text != "no paper" {
		t.Errorf("got %v", err)
	}
}
