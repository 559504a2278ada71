package consul

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestNamesAreEscapedAndComeBack(t *testing.T) {
	l := newKeyspace("team/demo")
	for key, want := range map[string]string{
		"jobs/report":  "team=2Fdemo/jobs/report",
		"a b/=":        "team=2Fdemo/a=20b/=3D",
		"..a/.b/c-d_e": "team=2Fdemo/..a/.b/c-d_e",
		"日/%2F":        "team=2Fdemo/=E6=97=A5/=252F",
	} {
		storetest.Equal(t, key, l.key(key), want)
		back, ours := l.name(want)
		storetest.Equal(t, want, back, key)
		storetest.Equal(t, want+" is ours", ours, true)
	}
	for _, foreign := range []string{
		"team=2Fdemo", "team=2Fdemo/", "team=2Fdemo/a/", "team=2Fdemo/a//b", "team=2Fdemo/a b", "team=2Fdemo/=2", "team=2Fdemo/=2f", "team=2Fdemo/=61",
		"team=2Fdemo/.sys/sessions/x", "team=2FdemoX/a", "a", "team=2Fdemo/=00", "team=2Fdemo/=FF", "team=2Fdemo/a/../b", "team=2Fdemo/a=2Fb",
	} {
		if name, ours := l.name(foreign); ours {
			t.Errorf("%q is taken for the key %q", foreign, name)
		}
	}
	if long := newKeyspace(strings.Repeat("/", 3)).root; long != "=2F=2F=2F/" {
		t.Errorf("got %s", long)
	}
}
