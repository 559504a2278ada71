package cron

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNever is the cause of an error for a schedule that never fires, or never
// fires again.
var ErrNever = errors.New("never fires")

// SyntaxError describes a fault in an expression, its place, and what to write.
type SyntaxError struct {
	Expr    string // as given
	Field   string // such as "day of month"; empty if the whole expression is at fault
	Char    int    // where Value begins in Expr, in characters from 1; 0 for the whole
	Value   string // the wrong part; empty if a part is missing
	Problem string // the fault
	Allowed string // the allowed values of the field; may be empty
	Remedy  string // what to write, if the intent is clear; may be empty
}

// Error names the expression, the field, the character, the value, what is
// allowed and what to write.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schedule %s: ", quote(e.Expr))
	if e.Field != "" {
		fmt.Fprintf(&b, "%s, ", e.Field)
	}
	if e.Char > 0 {
		fmt.Fprintf(&b, "character %d: ", e.Char)
	}
	if e.Value != "" {
		fmt.Fprintf(&b, "%s ", quote(e.Value))
	}
	b.WriteString(e.Problem)
	if e.Allowed != "" {
		fmt.Fprintf(&b, "; allowed: %s", e.Allowed)
	}
	if e.Remedy != "" {
		fmt.Fprintf(&b, "; %s", e.Remedy)
	}
	return b.String()
}

// quote quotes and shortens an expression, which can come from anywhere.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// field is one field of an expression, as it was written.
type field struct {
	*kind
	expr string
	text string
	at   int // bytes of expr before text
}

// fail returns the error for value, which is text's part that begins at byte at
// of the expression.
func (f field) fail(at int, value, problem, remedy string) error {
	return &SyntaxError{
		Expr: f.expr, Field: f.name, Char: utf8.RuneCountInString(f.expr[:at]) + 1, Value: value,
		Problem: problem, Allowed: f.allowed, Remedy: remedy,
	}
}

// split cuts an expression at white space. The fields have no kind yet.
func split(expr string) []field {
	var fields []field
	start := -1
	for i, r := range expr {
		switch {
		case unicode.IsSpace(r) && start >= 0:
			fields = append(fields, field{expr: expr, text: expr[start:i], at: start})
			start = -1
		case !unicode.IsSpace(r) && start < 0:
			start = i
		}
	}
	if start >= 0 {
		fields = append(fields, field{expr: expr, text: expr[start:], at: start})
	}
	return fields
}

// plain refuses characters beyond ASCII, which an input method or a word
// processor leaves behind and which are hard to see: a full-width ？ looks like
// a question mark.
func plain(expr string) error {
	for i, r := range expr {
		if r < utf8.RuneSelf || unicode.IsSpace(r) {
			continue
		}
		remedy := ""
		if r >= '！' && r <= '～' { // the full-width forms of ! to ~ stand in the same order
			remedy = fmt.Sprintf("write %c", r-'！'+'!')
		}
		return &SyntaxError{
			Expr: expr, Char: utf8.RuneCountInString(expr[:i]) + 1, Value: string(r),
			Problem: "is not an ASCII character", Remedy: remedy,
		}
	}
	return nil
}
