package store

import (
	"errors"
	"strings"
	"testing"
)

func TestKeysThatEveryBackendCanCarry(t *testing.T) {
	for _, key := range []string{
		"a", "jobs/report", "a/b/c/d/e/f/g/h", "...", "a/.sys", "sys", ".system/x", "zookeeper", "with space/and%20/+?#:=\\\"'", "任务/发薪", "e\u0301", "\u00e9", "😀",
		strings.Repeat("x", MaxSegment), strings.Repeat(strings.Repeat("y", 99)+"/", 8) + "z",
	} {
		if err := CheckKey(key); err != nil {
			t.Errorf("%q is refused: %v", key, err)
		}
	}
	for _, key := range []string{
		"", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b", "a\x00b", "a\xffb", ".sys", ".sys/x",
		strings.Repeat("x", MaxSegment+1), strings.Repeat("y/", MaxKey/2) + "z",
	} {
		if err := CheckKey(key); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: error %v, want ErrInvalid", key, err)
		}
	}
}
