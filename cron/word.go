package cron

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// words are the descriptors that stand for five fields.
var words = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

const wordForms = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, " +
	"@every 90s, @after 10m, @at 2027-01-01T00:00:00Z"

// parseWord reads what begins with @.
func parseWord(fields []field, loc *time.Location) (Schedule, error) {
	word, expr := fields[0], fields[0].expr
	argument := word.text == "@every" || word.text == "@after" || word.text == "@at"
	standsFor, known := words[word.text]
	switch {
	case !argument && !known:
		return nil, word.refuse("is not a word of this dialect", wordForms, lowerCase(word.text))
	case argument && len(fields) == 1:
		return nil, &SyntaxError{Expr: expr, Field: word.text, Char: utf8.RuneCountInString(expr) + 1,
			Problem: "nothing follows", Allowed: wordForms}
	case word.text == "@at" && len(fields) > 2:
		whole := fields[1]
		whole.text = strings.TrimSpace(expr[whole.at:])
		return parseAt(whole, loc)
	case argument && len(fields) > 2:
		return nil, fields[2].refuse("follows the end of the expression", "", "")
	case known && len(fields) > 1:
		return nil, fields[1].refuse("follows the end of the expression", "", "")
	}
	switch word.text {
	case "@every":
		return parseEvery(fields[1])
	case "@after":
		return parseDelay(fields[1])
	case "@at":
		return parseAt(fields[1], loc)
	}
	e, err := parseUnix(split(standsFor), loc)
	if err != nil {
		return nil, err
	}
	e.text = word.text
	return e, nil
}

// refuse returns the error for the whole of a field that belongs to no kind.
func (f field) refuse(problem, allowed, remedy string) error {
	return &SyntaxError{Expr: f.expr, Char: utf8.RuneCountInString(f.expr[:f.at]) + 1, Value: f.text,
		Problem: problem, Allowed: allowed, Remedy: remedy}
}

func lowerCase(word string) string {
	lower := strings.ToLower(word)
	if lower == word {
		return ""
	}
	return "write " + lower
}

// seconds reads a duration that is a positive number of whole seconds.
func (f field) seconds() (time.Duration, error) {
	const allowed = "a duration of whole seconds from 1s, such as 90s, 10m or 1h30m"
	d, err := time.ParseDuration(f.text)
	switch {
	case err != nil && digits(f.text):
		return 0, f.refuse("has no unit", allowed, fmt.Sprintf("write %ss for seconds", f.text))
	case err != nil:
		return 0, f.refuse("is not a duration", allowed, "")
	case d < time.Second:
		return 0, f.refuse("is shorter than a second", allowed, "")
	case d%time.Second != 0:
		return 0, f.refuse("is not whole seconds", allowed, "")
	}
	return d, nil
}
