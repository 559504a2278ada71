package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// kind describes the values that one field of a dialect can have.
type kind struct {
	name    string
	allowed string
	lo, hi  int
	names   []string // names[0] stands for lo
	unit    string   // what one is, in time.ParseDuration's words
	wraps   bool     // 22-2 goes past the end
	bare    bool     // /5 is */5
	beyond  string   // the remedy for a number out of range
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// span is a term of a list: a value, a range or *, with or without a step.
type span struct {
	from, to, step int
	open           bool // written with * or a step
}

// spans reads a field that is a list of spans.
func (f field) spans() ([]span, error) {
	var list []span
	for text, at := range f.terms() {
		s, err := f.span(text, at)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// terms yields the members of the list that a field is, with the byte of the
// expression at which each begins.
func (f field) terms() func(yield func(string, int) bool) {
	return func(yield func(string, int) bool) {
		at := f.at
		for term := range strings.SplitSeq(f.text, ",") {
			if !yield(term, at) {
				return
			}
			at += len(term) + 1
		}
	}
}

func (f field) span(text string, at int) (span, error) {
	if text == "" {
		return span{}, f.fail(at, "", "a list has an empty term", "remove the comma")
	}
	body, stepText, stepped := strings.Cut(text, "/")
	s := span{from: f.lo, to: f.hi, step: 1, open: stepped}
	var err error
	if stepped {
		s.step, err = f.step(stepText, at+len(body)+1)
		if err != nil {
			return span{}, err
		}
	}
	if body == "*" || body == "" && f.bare {
		s.open = true
		return s, nil
	}
	if body == "" {
		return span{}, f.fail(at, text, "has no start", "write */"+stepText)
	}
	if strings.Contains(body, "*") {
		return span{}, f.fail(at, body, "has a * that is not alone before the step", "")
	}
	lowText, highText, ranged := strings.Cut(body, "-")
	s.from, err = f.value(lowText, at)
	if err != nil {
		return span{}, err
	}
	switch {
	case ranged:
		s.to, err = f.value(highText, at+len(lowText)+1)
		if err != nil {
			return span{}, err
		}
	case !stepped:
		s.to = s.from
	}
	if s.from > s.to && !f.wraps {
		return span{}, f.fail(at, body, "runs backwards", f.unwrap(s))
	}
	return s, nil
}

// step refuses what can never take a second step: */90 in the minutes is not
// every 90 minutes but once an hour.
func (f field) step(text string, at int) (int, error) {
	n, err := strconv.Atoi(text)
	if !digits(text) || n == 0 {
		return 0, f.fail(at, text, "is not a step, a number from 1", "")
	}
	if err != nil || n > f.hi {
		remedy := ""
		if f.unit != "" && err == nil {
			remedy = fmt.Sprintf("for a steady interval write @every %s%s", text, f.unit)
		}
		return 0, f.fail(at, text, fmt.Sprintf("is a step past the end of the field, %d", f.hi), remedy)
	}
	return n, nil
}

func (f field) value(text string, at int) (int, error) {
	if text == "" {
		return 0, f.fail(at, "", "a number is missing", "")
	}
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.lo + i, nil
		}
	}
	if !digits(text) {
		return 0, f.fail(at, text, "is not a value of this field", f.abbreviate(text))
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > f.hi {
		return 0, f.fail(at, text, fmt.Sprintf("is above %d", f.hi), f.beyond)
	}
	if n < f.lo {
		return 0, f.fail(at, text, fmt.Sprintf("is below %d", f.lo), f.beyond)
	}
	return n, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// abbreviate is the remedy for a name that is written out.
func (f field) abbreviate(text string) string {
	for _, name := range f.names {
		if len(text) > len(name) && strings.EqualFold(text[:len(name)], name) {
			return "write " + name
		}
	}
	return ""
}

// unwrap is the remedy for a range that goes past the end of a field that does
// not wrap.
func (f field) unwrap(s span) string {
	if f.lo == firstYear {
		return fmt.Sprintf("write %d-%d", s.to, s.from)
	}
	part := func(from, to int) string {
		if from == to {
			return f.show(from)
		}
		return f.show(from) + "-" + f.show(to)
	}
	return "write " + part(s.from, f.hi) + "," + part(f.lo, s.to)
}

func (f field) show(n int) string {
	if f.names != nil {
		return f.names[n-f.lo]
	}
	return strconv.Itoa(n)
}
