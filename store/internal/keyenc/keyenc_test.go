package keyenc

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestKey_ComesBack(t *testing.T) {
	for key, want := range map[string]string{
		"jobs/report":  "jobs/report",
		"a b/=":        "a=20b/=3D",
		"..a/.b/c-d_e": "..a/.b/c-d_e",
		"日/%2F":        "=E6=97=A5/=252F",
		"=2F":          "=3D2F",
	} {
		storetest.Equal(t, key, Key(key), want)
		back, ok := Undo(want)
		storetest.Equal(t, want, back, key)
		storetest.Equal(t, want+" is a key's", ok, true)
	}
	storetest.Equal(t, "a segment", Segment("team/demo"), "team=2Fdemo")
}

func TestUndo_RefusesOthers(t *testing.T) {
	for _, foreign := range []string{"", "/", "a/", "/a", "a//b", "a b", "=", "=2", "=2f", "=61", "=+1", "=_1", "a=2", "=C3=a9", "=2F", "a=2Fb"} {
		if key, ok := Undo(foreign); ok {
			t.Errorf("%q is taken for the key %q", foreign, key)
		}
	}
}

func FuzzWhatComesBackIsWhatWasEscaped(f *testing.F) {
	f.Add("jobs/report")
	f.Add("=2F/\x01/%")
	f.Fuzz(func(t *testing.T, text string) {
		if key, ok := Undo(text); ok && Key(key) != text {
			t.Errorf("%q is read as %q, which is written %q", text, key, Key(key))
		}
		if strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/") || strings.Contains(text, "//") || text == "" {
			return // no key
		}
		if key, ok := Undo(Key(text)); !ok || key != text {
			t.Errorf("%q comes back as %q, %v", text, key, ok)
		}
	})
}
