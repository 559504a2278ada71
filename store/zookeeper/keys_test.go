package zookeeper

import (
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestPathsOfKeys(t *testing.T) {
	for _, c := range []struct{ namespace, key, path string }{
		{"demo", "jobs/report", "/demo/jobs/report="},
		{"team/demo", "jobs", "/team=2Fdemo/jobs="},
		{"zookeeper", "zookeeper", "/=7Aookeeper/zookeeper="},
		{"demo", "a b/=/é", "/demo/a=20b/=3D/=C3=A9="},
		{"demo", ".system/a", "/demo/.system/a="},
	} {
		l := newKeyspace(c.namespace)
		storetest.Equal(t, c.key, l.key(c.key), c.path)
		key, ours := l.name(c.path)
		storetest.Equal(t, c.path, key, c.key)
		storetest.Equal(t, c.path+" is a key's", ours, true)
		storetest.Equal(t, c.path+" is a directory", l.isDirectory(c.path), false)
	}
}

func TestPathsOfDirectories(t *testing.T) {
	for _, c := range []struct{ namespace, prefix, path string }{
		{"demo", "", "/demo"},
		{"team/demo", "", "/team=2Fdemo"},
		{"demo", "jobs", "/demo/jobs"},
		{"demo", "jobs/é", "/demo/jobs/=C3=A9"},
	} {
		l := newKeyspace(c.namespace)
		storetest.Equal(t, c.prefix, l.directory(c.prefix), c.path)
		storetest.Equal(t, c.path+" is a directory", l.isDirectory(c.path), true)
	}
}

func TestPathsOfNoKey(t *testing.T) {
	l := newKeyspace("demo")
	for _, path := range []string{"/", "/demo", "/demo=", "/demo2/a=", "/demo/a", "/demo/=", "/demo/.sys", "/demo/.sys/sessions/1", "/demo/.sys/a=",
		"/demo/a=2=", "/demo/a==", "/demo/=61=", "/demo/=c3=", "/demo/a b=", "/demo/=+1=", "/demo/a=2Fb=", "/demo/=FF="} {
		if key, ours := l.name(path); ours {
			t.Errorf("%s is the path of %q", path, key)
		}
	}
	for _, path := range []string{"/demo/.sys", "/demo/a=", "/demo/a b", "/demo/=c3", "/demo/a=2Fb"} {
		storetest.Equal(t, path+" is a directory", l.isDirectory(path), false)
	}
}

func FuzzEveryKeyHasItsOwnPath(f *testing.F) {
	f.Add("jobs/report")
	f.Add("=2F/\x01/%")
	f.Fuzz(func(t *testing.T, key string) {
		if store.CheckKey(key) != nil {
			t.Skip()
		}
		l := newKeyspace("demo")
		if back, ours := l.name(l.key(key)); !ours || back != key {
			t.Errorf("%q is carried as %q and comes back as %q", key, l.key(key), back)
		}
	})
}
