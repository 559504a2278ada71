package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// plain returns a text in which everything that is not printable is escaped:
// control characters, and marks that change the direction of text.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// short returns a duration with its two greatest units, such as 2h04m.
func short(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// when returns a time for people, near ones in relation to now.
func (a *app) when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	now := a.now()
	if d := t.Sub(now); d >= 0 && d < time.Hour {
		return "in " + short(d)
	}
	local, today := t.In(a.zone), now.In(a.zone)
	switch {
	case sameDay(local, today):
		return local.Format("15:04")
	case sameDay(local, today.AddDate(0, 0, 1)):
		return "tomorrow " + local.Format("15:04")
	case sameDay(local, today.AddDate(0, 0, -1)):
		return "yesterday " + local.Format("15:04")
	}
	return local.Format("2006-01-02 15:04")
}

// at returns a time in full, with its offset.
func (a *app) at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(a.zone).Format("2006-01-02 15:04:05 -0700")
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// ago returns how long ago a time was.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return short(a.now().Sub(t))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// dash returns a text, or a dash where there is none.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// cut returns at most n characters of a text.
func cut(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}

// pause waits until it is time to read again. It returns false if the command
// is to end.
func (a *app) pause(ctx context.Context) bool {
	t := time.NewTimer(a.every)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
