package consul

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

func FuzzEveryKeyHasItsOwnName(f *testing.F) {
	f.Add("demo", "jobs/report")
	f.Add("team/demo", "=2F/\x01/%")
	f.Add("=", "a=/=4")
	f.Fuzz(func(t *testing.T, namespace, key string) {
		l := newKeyspace(namespace)
		if back, ours := l.name(l.root + key); ours && l.key(back) != l.root+key { // whatever somebody else has written there
			t.Errorf("%q is read as %q, which is carried as %q", l.root+key, back, l.key(back))
		}
		if store.CheckKey(key) != nil {
			return
		}
		if back, ours := l.name(l.key(key)); !ours || back != key {
			t.Errorf("%q is carried as %q and comes back as %q", key, l.key(key), back)
		}
		if root := l.root; strings.Count(root, "/") != 1 || !strings.HasSuffix(root, "/") {
			t.Errorf("the namespace %q is carried as %q, which is not one segment", namespace, root)
		}
	})
}
