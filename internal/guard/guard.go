// Package guard calls functions of the program that uses this module, such as
// handlers, observers and strategies, so that they harm nothing but themselves:
// whether they panic, end their goroutine or never return.
//
// It can't guard against the end of the process: os.Exit, a fatal error of the
// runtime, or a panic in a goroutine that such a function starts itself.
package guard

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrExited is the error of a function that ended its goroutine with
// runtime.Goexit.
var ErrExited = errors.New("ended its goroutine with runtime.Goexit")

// Panic is the error of a function that panicked.
type Panic struct {
	Value string   // the value as text
	Stack []string // the calls that led to it, innermost first: "function (file:line)"
}

// Error returns the value of the panic.
func (p *Panic) Error() string { return "panicked: " + p.Value }

// Detail returns the value and the calls in one line.
func (p *Panic) Detail() string {
	if len(p.Stack) == 0 {
		return p.Value
	}
	return p.Value + "; in " + strings.Join(p.Stack, " < ")
}

// Blocked is the error of a function that did not return in time. Its goroutine
// is left behind.
type Blocked struct{ After time.Duration }

// Error says how long it was waited for.
func (b *Blocked) Error() string { return "did not return within " + b.After.String() }

// Call calls f in a goroutine of its own and waits for it for at most limit. It
// returns what f returned, or a *Panic, ErrExited or a *Blocked.
//
// After a *Blocked f still runs. Code that calls again before it has returned
// adds a goroutine each time.
func Call[T any](limit time.Duration, f func() T) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		a := answer{err: ErrExited}
		defer func() { answers <- a }() // deferred, because Goexit runs nothing else
		a.err = Catch(func() { a.value = f() })
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-timer.C:
		var none T
		return none, &Blocked{limit}
	}
}

// Catch calls f and returns a *Panic if it panics. The caller must expect that
// f does not return at all, because it blocks or calls runtime.Goexit.
func Catch(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Recovered(v)
		}
	}()
	f()
	return nil
}

// Recovered returns the *Panic of a value that recover has returned. The
// deferred function that recovers must call it itself.
func Recovered(v any) *Panic {
	return &Panic{Value: text(v), Stack: stack()}
}

// Patience bounds the calls of methods of the program's values and errors, such
// as String and Error, which have no reason to take time.
const Patience = 5 * time.Second

// text returns a value as text of at most maxText bytes, whatever the methods
// of the value do.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return Cut(v, maxText)
	case runtime.Error:
		return Cut(v.Error(), maxText)
	}
	s, err := Call(Patience, func() string { return Cut(fmt.Sprint(v), maxText) })
	if err != nil {
		return fmt.Sprintf("a value of type %T, of which a method %v", v, err)
	}
	return s
}

// maxText bounds the text that is made of a value, in bytes.
const maxText = 16 << 10

// Cut shortens text to n bytes, between characters, and makes it valid UTF-8.
func Cut(s string, n int) string {
	const mark = "…"
	if len(s) > n {
		end := n - len(mark)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + mark
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// maxStack bounds how many calls of a stack are kept.
const maxStack = 32

// stack returns the calls that led to the panic that is being recovered,
// innermost first. The runtime's are left out, and those above the function of
// the program that was called.
func stack() []string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var calls []string
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true // what is above recovers it
		case strings.HasPrefix(f.Function, "runtime."):
		case panicking && isOurs(f.Function):
			return calls
		case panicking && len(calls) < maxStack:
			calls = append(calls, fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line))
		}
		if !more {
			return calls
		}
	}
}

// isOurs reports whether a function is one that calls functions of the program.
func isOurs(function string) bool {
	const internal = "github.com/elasticjob-go/elastic/internal/"
	return strings.HasPrefix(function, internal+"guard.") || strings.HasPrefix(function, internal+"engine.")
}

// IsNil reports whether v is nil, or a nil pointer, function, map, slice or
// channel inside an interface.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan, reflect.UnsafePointer:
		return r.IsNil()
	}
	return false
}
