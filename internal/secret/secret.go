// Package secret keeps secrets out of errors, logs and everything else that is
// printed.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortest is the length of the shortest text that Hide replaces. Shorter texts
// are found in every other word.
const shortest = 4

// Format writes text for each verb of package fmt. A type whose fields hold a
// secret calls it from its Format method: the verbs that a String method does
// not serve, such as %d, would print the fields.
func Format(f fmt.State, verb rune, text string) {
	if verb == 'q' {
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(f, text)
}

// Hide returns text with every occurrence of the secrets replaced by "…".
// Secrets shorter than four bytes stay.
func Hide(text string, secrets ...string) string {
	// The longest first: a shorter one may be a part of it.
	longestFirst := slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for _, s := range longestFirst {
		if len(s) >= shortest {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return text
}

// Error returns err, or if its text holds one of the secrets an error with the
// same tree and a text without them.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := Hide(err.Error(), secrets...)
	if text == err.Error() {
		return err
	}
	return &hidden{text: text, err: err}
}

// hidden is an error whose text must not be shown.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string              { return h.text }
func (h *hidden) Unwrap() error              { return h.err }
func (h *hidden) Format(f fmt.State, v rune) { Format(f, v, h.text) }

// FileError returns err as it may be shown. A name that does not look like a
// path may be the secret itself, given where a file was asked for: such a name
// is left out.
func FileError(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) && !IsPath(e.Path) {
		return fmt.Errorf("%s: %w; the name is not shown, as it does not look like a path: write /… or ./…", e.Op, e.Err)
	}
	return err
}

// IsPath reports whether a text looks like the path of a file: it begins with a
// slash, a dot and a slash, or a drive letter, or it has the ending of a
// certificate or a key.
func IsPath(s string) bool {
	beginsAs := func(prefix string) bool { return strings.HasPrefix(s, prefix) }
	endsAs := func(suffix string) bool { return strings.HasSuffix(s, suffix) }
	drive := len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
	return drive || slices.ContainsFunc([]string{"/", "./", "../", `\\`, `.\`, `..\`}, beginsAs) ||
		slices.ContainsFunc([]string{".pem", ".crt", ".cer", ".key"}, endsAs)
}

// IsVariable reports whether a text looks like the name of an environment
// variable: capitals, digits and underscores.
func IsVariable(s string) bool {
	notPart := func(c rune) bool { return (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' }
	return s != "" && !strings.ContainsFunc(s, notPart) && (s[0] < '0' || s[0] > '9')
}

// Printable returns the first n bytes of text on one line, as valid UTF-8.
// Control characters are escaped as in a Go string; "…" follows what was cut.
func Printable(text string, n int) string {
	cut := len(text) > n
	if cut {
		text = text[:n]
		for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
			if at := len(text) - back; utf8.RuneStart(text[at]) {
				if !utf8.FullRuneInString(text[at:]) {
					text = text[:at]
				}
				break
			}
		}
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if r == utf8.RuneError || r == '"' || r == '\\' || r == '\'' {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", string(r)) // escapes what is not printable
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// words are parts of the names of settings that hold a secret.
var words = []string{"pass", "pwd", "token", "secret", "cred", "acl", "auth", "apikey", "api_key", "api-key", "access_key", "access-key", "private", "signature", "jwt", "bearer", "cookie"}

// IsName reports whether a name looks like that of a setting that holds a
// secret, in whatever case.
func IsName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// IsLike reports whether a text that is a part of a program looks like a secret:
// it has six bytes or more with letters and digits among them, or more than 24.
func IsLike(text string) bool {
	letters := strings.ContainsFunc(text, unicode.IsLetter)
	digits := strings.ContainsFunc(text, unicode.IsDigit)
	return len(text) > 24 || len(text) >= 6 && letters && digits
}
