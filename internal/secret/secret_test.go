package secret_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/secret"
)

// An error without its secrets still is the error that it was.
func TestError_KeepsTheTree(t *testing.T) {
	cause := fmt.Errorf("login of hunter2 and hunter2-long: %w", os.ErrPermission)
	err := secret.Error(cause, "hunter2", "hunter2-long", "of")
	if err.Error() != "login of … and …: permission denied" || !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(format, err); strings.Contains(got, "hunter2") {
			t.Errorf("%s: got %s", format, got)
		}
	}
	if other := secret.Error(cause, "absent"); other != cause {
		t.Errorf("got %v, want the error itself", other)
	}
	if secret.Error(nil, "hunter2") != nil {
		t.Error("got an error made of none")
	}
}

// A name is shown only if it begins as a path does.
func TestFileError_ShowsPathsOnly(t *testing.T) {
	for name, shown := range map[string]bool{
		"/run/secrets/missing": true, "./missing": true, "../missing": true, "hunter2": false, "hun/ter2": false, ".hunter2": false,
	} {
		_, cause := os.ReadFile(name)
		err := secret.FileError(cause)
		if strings.Contains(err.Error(), name) != shown || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Whatever a server answers becomes one line of valid UTF-8 of bounded length.
func TestPrintable_IsOneLine(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{`no "such" region`, 200, `no "such" region`},
		{"a\r\nb\tc\x1b[31m\x00\x7f", 200, `a\r\nb\tc\x1b[31m\x00\x7f`},
		{"\u202eabc\u2028", 200, `\u202eabc\u2028`},
		{"\xff\xfe", 200, "\uFFFD"},
		{`a\n`, 200, `a\n`},
		{"üüü", 3, "ü…"},
		{"üüü", 6, "üüü"},
		{"", 0, ""},
	} {
		got := secret.Printable(tt.text, tt.n)
		if got != tt.want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
