package etcd

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

func FuzzEveryKeyHasItsOwnNameInItsOwnNamespace(f *testing.F) {
	f.Add("demo", "jobs/report", "jobs")
	f.Add("team/demo", "=2F/\x01/%", "=2F")
	f.Add("team%2Fdemo", "a", "")
	f.Fuzz(func(t *testing.T, namespace, key, prefix string) {
		if namespace == "" || store.CheckKey(key) != nil || prefix != "" && store.CheckKey(prefix) != nil {
			t.Skip()
		}
		l := newKeyspace(namespace)
		if back, ours := l.name([]byte(l.key(key))); !ours || back != key {
			t.Errorf("%q is carried as %q and comes back as %q", key, l.key(key), back)
		}
		from, to := l.below(prefix)
		below := prefix == "" || strings.HasPrefix(key, prefix+"/")
		if at := l.key(key); below != (from <= at && at < to) {
			t.Errorf("%q is below %q: %v, but %q is from %q to %q: %v", key, prefix, below, at, from, to, !below)
		}
		for _, other := range []string{namespace + "/x", namespace + "%", "x" + namespace} {
			if from, to := newKeyspace(other).below(""); from <= l.key(key) && l.key(key) < to {
				t.Errorf("%q of %q is seen in %q", key, namespace, other)
			}
		}
	})
}
