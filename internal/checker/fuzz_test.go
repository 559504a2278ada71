package checker

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func FuzzRead(f *testing.F) {
	good, err := os.ReadFile("testdata/good.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add("ttl 2s\nbound\nend x\n")
	f.Add("2026-01-02T10:00:04.4Z kill 102\nruns/report/0 {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		var written bytes.Buffer
		if err := h.Write(&written); err != nil {
			return // a time that has no text
		}
		again, err := Read(&written)
		if err != nil {
			return // a key, or a value, with a line break in it
		}
		if len(again.Lines) != len(h.Lines) || len(again.Acts) != len(h.Acts) {
			t.Errorf("%d lines and %d acts were read, and after they were written %d and %d", len(h.Lines), len(h.Acts), len(again.Lines), len(again.Acts))
		}
	})
}
