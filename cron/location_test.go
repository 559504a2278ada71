package cron

import (
	"strings"
	"testing"
	"time"
)

// A fixed offset is a zone wherever a zone is named, and Explain shows it.
func TestLoadLocation_FixedOffset(t *testing.T) {
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for name, seconds := range map[string]int{
		"GMT+8":     8 * 3600,
		"UTC+08:00": 8 * 3600,
		"+08:00":    8 * 3600,
		"+8":        8 * 3600,
		"utc+0800":  8 * 3600,
		"GMT+08":    8 * 3600,
		"UTC-5":     -5 * 3600, "-05:30": -5*3600 - 1800, "UTC+14": 14 * 3600, "UTC+0": 0, "GMT-00:00": 0,
	} {
		loc, err := LoadLocation(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, offset := at.In(loc).Zone(); offset != seconds {
			t.Errorf("%s is %d s from UTC, want %d", name, offset, seconds)
		}
	}
	s, err := Spec{Expr: "0 3 * * *", Zone: "GMT+8"}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	e, err := Explain(s, at, 1)
	if err != nil || e.Words != "at 03:00 every day, UTC+08:00" || !e.Next[0].Equal(at.Add(19*time.Hour)) {
		t.Errorf("got %v, %v", e, err)
	}
}

// A zone that is not known is refused, and the error names the one to write.
func TestLoadLocation_NamesTheNearest(t *testing.T) {
	for name, want := range map[string]string{
		"Beijing":                  "did you mean Asia/Shanghai?",
		"asia/shanghai":            "did you mean Asia/Shanghai?",
		"Asia/Beijing":             "did you mean Asia/Shanghai?",
		"Asia/Shangai":             "did you mean Asia/Shanghai?",
		"shanghai":                 "did you mean Asia/Shanghai?",
		"New York":                 "did you mean America/New_York?",
		"America/New York":         "did you mean America/New_York?",
		"Europe/Berln":             "did you mean Europe/Berlin?",
		"China Standard Time":      "did you mean Asia/Shanghai?",
		"utc":                      "did you mean UTC?",
		"CST":                      "stands for several zones; write Asia/Shanghai or America/Chicago",
		"pst":                      "stands for several zones",
		"JST":                      "is an abbreviation; write Asia/Tokyo",
		"UTC+25":                   "is unknown; write a name of the IANA database such as Asia/Shanghai, or an offset",
		"UTC+08:75":                "is unknown",
		"../../etc/passwd":         "is unknown",
		"Mars/Olympus":             "is unknown",
		"\x00\xff":                 "is unknown",
		"Local":                    "differs from machine to machine",
		"localtime":                "differs from machine to machine",
		strings.Repeat("x", 1<<20): "is unknown",
	} {
		loc, err := LoadLocation(name)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.40q: got %v, %.400v; want %q", name, loc, err, want)
		}
	}
}

// Where the database lacks a name that it should have, the error names the
// import that brings one.
func TestLoadLocation_NoDatabase(t *testing.T) {
	err := zoneFault("Asia/Shanghai", true)
	if want := `import _ "time/tzdata"`; !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	for _, name := range zoneNames() {
		if _, err := LoadLocation(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
