package cron

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// oneMark refuses six or seven fields unless exactly one day field is ?, the
// mark of Quartz. The right expression depends on the dialect of the weekday
// numbers, so the error gives both readings, in words.
func oneMark(fields []field, loc *time.Location) error {
	date, weekday := fields[3].text, fields[5].text
	if (date == "?") != (weekday == "?") {
		return nil
	}
	problem := "has no ? in a day field, as Quartz needs"
	if date == "?" {
		problem = "has ? in both day fields"
	}
	var remedies []string
	for _, text := range markings(fields) {
		if e, err := parseQuartz(split(text), loc); err == nil {
			remedies = append(remedies, fmt.Sprintf("if it is Quartz's, write %q (%s)", text, e.words()))
		}
	}
	if len(fields) == 6 {
		if e, err := parseUnix(split(fields[0].expr), loc); err == nil {
			remedies = append(
				remedies, fmt.Sprintf("if it is robfig's with seconds, read it with Seconds (%s)", e.words()),
			)
		}
	}
	if !slices.Contains([]string{date, weekday}, "?") && date != "*" && weekday != "*" {
		remedies = append(remedies, "Quartz has no \"or\" of the two day fields: write an expression for each")
	}
	return &SyntaxError{Expr: fields[0].expr, Problem: problem, Remedy: strings.Join(remedies, "; ")}
}

// markings returns what Quartz could mean by six or seven fields with no ? or
// with two.
func markings(fields []field) []string {
	mark := func(date, weekday string) string {
		marked := slices.Clone(fields)
		marked[3].text, marked[5].text = date, weekday
		return joined(marked)
	}
	date, weekday := fields[3].text, fields[5].text
	switch {
	case date == "?":
		return []string{mark("*", "?")}
	case weekday == "*":
		return []string{mark(date, "?")}
	case date == "*":
		return []string{mark("?", weekday)}
	}
	return nil // Quartz cannot say "or"
}

// suggest completes the error of five fields whose day field holds what only
// Quartz has: ? L W # or the number 7. Then the seconds are missing, or ?
// stands for *, as robfig's parser allows.
func suggest(err error, fields []field, loc *time.Location) error {
	var fault *SyntaxError
	if !errors.As(err, &fault) || fault.Field != unixKinds[3].name && fault.Field != unixKinds[5].name ||
		!strings.ContainsAny(strings.ToUpper(fault.Value), "?LW#7") {
		return err
	}
	six := append([]field{{text: "0"}}, fields...)
	candidates := markings(six)
	if (six[3].text == "?") != (six[5].text == "?") {
		candidates = []string{joined(six)}
	}
	var remedies []string
	for _, text := range candidates {
		if e, err := parseQuartz(split(text), loc); err == nil {
			remedies = append(
				remedies, fmt.Sprintf("if it is Quartz's, which has seconds first, write %q (%s)", text, e.words()),
			)
		}
	}
	text := strings.ReplaceAll(joined(fields), "?", "*")
	if e, err := parseUnix(split(text), loc); err == nil {
		remedies = append(remedies, fmt.Sprintf("if it is Unix's, write %q (%s)", text, e.words()))
	}
	if fault.Remedy != "" {
		remedies = append([]string{fault.Remedy}, remedies...)
	}
	fault.Remedy = strings.Join(remedies, "; ")
	return fault
}

func joined(fields []field) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = f.text
	}
	return strings.Join(texts, " ")
}
