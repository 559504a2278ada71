// Package faults collects all faults of a configuration, so that one error
// reports them together.
package faults

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Max is the number of faults that a List reports one by one. It reports only
// the number of the others.
const Max = 50

// Fault is one fault of a field.
type Fault struct {
	Field string // such as "time zone"
	Err   error  // the problem, such as "must not be negative, is -1"

	// Local marks a fault that depends on what the program registers, such as a
	// strategy. Another program may accept the same value.
	Local bool
}

func (f *Fault) Error() string { return f.Field + ": " + f.Err.Error() }

// Unwrap returns the problem.
func (f *Fault) Unwrap() error { return f.Err }

// List collects faults. Its zero value is empty and ready to use. A List must not
// be used by several goroutines at once.
type List struct {
	// Prefix begins each line of the error, such as "jobs.yaml: ".
	Prefix string

	kept  []entry // at most Max, sorted by line and then by the time of adding
	count int     // of all faults, those that were not kept included
}

type entry struct {
	line int // of a file; 0 if the fault has none
	err  error
}

// Add adds a fault. The arguments are those of [fmt.Errorf], %w included.
func (l *List) Add(format string, args ...any) { l.AddAt(0, format, args...) }

// AddField adds a fault of a field, as a [Fault].
func (l *List) AddField(field, format string, args ...any) {
	l.add(0, func() error { return &Fault{Field: field, Err: fmt.Errorf(format, args...)} })
}

// AddAt adds a fault of a line of a file. Faults are reported in the order of
// their lines. The text is made only if the fault is among those reported.
func (l *List) AddAt(line int, format string, args ...any) {
	l.add(line, func() error { return fmt.Errorf(format, args...) })
}

// Append adds err, or each error that err joins. It ignores nil.
func (l *List) Append(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range joined.Unwrap() {
			l.Append(inner)
		}
		return
	}
	if err != nil {
		l.add(0, func() error { return err })
	}
}

func (l *List) add(line int, text func() error) {
	at := sort.Search(len(l.kept), func(i int) bool { return l.kept[i].line > line })
	if at == Max {
		l.count++
		return
	}
	err := text()
	if l.has(line, err) {
		return
	}
	l.count++
	l.kept = slices.Insert(l.kept, at, entry{line, err})
	l.kept = l.kept[:min(len(l.kept), Max)]
}

// has reports whether the list has a fault of this line with the same text. A
// file can give one value to several jobs.
func (l *List) has(line int, err error) bool {
	return slices.ContainsFunc(l.kept, func(e entry) bool {
		return e.line == line && e.err.Error() == err.Error()
	})
}

// Len returns the number of faults that were added.
func (l *List) Len() int { return l.count }

// Err returns one error that joins the faults, each on lines of its own; nil if
// there are none.
func (l *List) Err() error {
	if l.count == 0 {
		return nil
	}
	var all []error
	for _, e := range l.kept {
		all = append(all, l.shown(e))
	}
	if more := l.count - len(l.kept); more > 0 {
		all = append(all, fmt.Errorf("%sand %d more faults", l.Prefix, more))
	}
	return errors.Join(all...)
}

// shown returns the error of an entry with the list's prefix and the line.
func (l *List) shown(e entry) error {
	switch {
	case e.line > 0:
		oneLine := strings.ReplaceAll(e.err.Error(), "\n", "; ")
		return fmt.Errorf("%sline %d: %s", l.Prefix, e.line, oneLine)
	case l.Prefix != "":
		return fmt.Errorf("%s%w", l.Prefix, e.err)
	}
	return e.err
}

// ErrOf returns Err with what begins it, such as "script is not valid"; nil if
// there are no faults.
func (l *List) ErrOf(what string) error {
	if l.count == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", what, l.Err())
}

// All returns the faults of fields that err wraps or joins.
func All(err error) []*Fault {
	if fault, ok := err.(*Fault); ok {
		return []*Fault{fault}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return All(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*Fault
		for _, inner := range e.Unwrap() {
			all = append(all, All(inner)...)
		}
		return all
	}
	return nil
}
