package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// Explanation is a schedule in words, and its next fires.
type Explanation struct {
	Expr  string      // the expression as written, with bounds and exceptions
	Words string      // such as "at 09:30 on Monday to Friday, Asia/Shanghai"
	Next  []time.Time // in the time zone of the schedule, if it has one; fewer if it ends
}

// String returns the explanation in one line.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q: %s", e.Expr, e.Words)
	for i, t := range e.Next {
		b.WriteString([]string{"; next ", ", "}[min(i, 1)])
		b.WriteString(t.Format("Mon 2006-01-02 15:04:05 -0700"))
	}
	return b.String()
}

// Explain describes s in words, with its next n fires after now. The error is
// that of [Check]; the words are returned even then.
//
// For a [Delay], now stands for the end of the last run, and only the first
// fire is returned, because later ones depend on later runs. A schedule of
// another package is described by its type.
func Explain(s Schedule, now time.Time, n int) (Explanation, error) {
	if guard.IsNil(s) {
		return Explanation{}, errNil
	}
	e := Explanation{Expr: fmt.Sprint(s), Words: inWords(s)}
	if AfterEnd(s) {
		n = min(n, 1)
	}
	t := now.In(zoneOf(s, now.Location()))
	for range n {
		next := s.Next(t)
		if !next.After(t) {
			break
		}
		e.Next = append(e.Next, next)
		t = next
	}
	return e, Check(s, now)
}

// Check returns an error that wraps [ErrNever] if s never fires after now: its
// year is over, its instant has passed, or the clock skips its time of day each
// year. Registration should refuse such a job. A process that restarts should
// not: the schedule was good when the job was registered.
func Check(s Schedule, now time.Time) error {
	if guard.IsNil(s) {
		return errNil
	}
	if s.Next(now).IsZero() {
		return fmt.Errorf(
			"schedule %s (%s) %w after %s", quote(fmt.Sprint(s)), inWords(s), ErrNever, now.Format(time.RFC3339),
		)
	}
	return nil
}

// errNil is the error of a schedule that is nil.
var errNil = errors.New("the schedule is nil")

// notNil panics if a function was given a nil schedule. Next would panic later,
// far from the mistake.
func notNil(function string, schedules ...Schedule) {
	for _, s := range schedules {
		if guard.IsNil(s) {
			panic("cron." + function + ": " + errNil.Error())
		}
	}
}

// inWords returns a schedule in words.
func inWords(s Schedule) string {
	if w, ok := s.(interface{ words() string }); ok {
		return w.words()
	}
	return fmt.Sprintf("when a %T says", s)
}

func zoneOf(s Schedule, otherwise *time.Location) *time.Location {
	for {
		if e, ok := s.(*expression); ok {
			return e.loc
		}
		w, ok := s.(interface{ unwrap() Schedule })
		if !ok {
			return otherwise
		}
		s = w.unwrap()
	}
}

func (e *expression) words() string {
	return e.clockWords() + e.dayWords() + ", " + e.loc.String()
}

func (e every) words() string {
	return "every " + (time.Duration(e) * time.Second).String() + ", counted from 1970-01-01 00:00:00 UTC"
}

func (a at) words() string {
	return "once, at " + time.Unix(int64(a), 0).UTC().Format(time.RFC3339)
}

func (d Delay) words() string {
	return time.Duration(d).String() + " after the end of the last run"
}

func (b *between) words() string {
	words := inWords(b.Schedule)
	if !b.start.IsZero() {
		words += ", from " + b.start.Format(time.RFC3339)
	}
	if !b.end.IsZero() {
		words += ", until " + b.end.Format(time.RFC3339)
	}
	return words
}

func (e *except) words() string {
	return inWords(e.Schedule) + ", except " + strings.Join(e.calendar.texts(), ", ")
}
