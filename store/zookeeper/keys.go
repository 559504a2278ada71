package zookeeper

import (
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/keyenc"
)

// keyspace maps the keys of one namespace to ZooKeeper's paths:
//
//	/demo/jobs/report=              the key jobs/report of the namespace demo
//	/demo/.sys/sessions/694d7aa1    the marker of a session
//	/team=2Fdemo/jobs/report=       the same key of the namespace team/demo
//
// A namespace is always one segment, so that none is below another. Bytes that
// ZooKeeper or a shell may not carry are written =HH.
//
// The mark at its end tells a key from a directory. Without it a key could be
// found where an empty directory has been left behind, and set, and deleted; a
// key could not be created there; and an ephemeral key could have none below
// it.
type keyspace struct{ root string }

const mark = "="

// maxNamespace is the longest root of a keyspace. See caps for the arithmetic.
const maxNamespace = 400

func newKeyspace(namespace string) keyspace {
	if namespace == "zookeeper" { // which is the server's own at the top
		return keyspace{"/=7Aookeeper"}
	}
	return keyspace{"/" + keyenc.Segment(namespace)}
}

// key returns the path of a key.
func (k keyspace) key(key string) string { return k.directory(key) + mark }

// directory returns the path of the directory of a prefix, with everything that
// is below the prefix in it. That of the empty prefix is the root.
func (k keyspace) directory(prefix string) string {
	if prefix == "" {
		return k.root
	}
	return k.root + "/" + keyenc.Key(prefix)
}

// name returns the key of a path, and false for directories, for what belongs
// to the driver, and for what no key has as its path.
func (k keyspace) name(path string) (string, bool) {
	rest, below := strings.CutPrefix(path, k.root+"/")
	rest, marked := strings.CutSuffix(rest, mark)
	if !below || !marked || strings.HasPrefix(rest, store.Reserved+"/") {
		return "", false
	}
	key, ok := keyenc.Undo(rest)
	return key, ok && store.CheckKey(key) == nil
}

// isDirectory reports whether keys may be below a path that is the root or in a
// directory.
func (k keyspace) isDirectory(path string) bool {
	if path == k.root {
		return true
	}
	_, ok := keyenc.Undo(path[strings.LastIndexByte(path, '/')+1:])
	return ok && path != k.root+"/"+store.Reserved
}

func (k keyspace) markers() string         { return k.root + "/" + store.Reserved + "/sessions" }
func (k keyspace) marker(id string) string { return k.markers() + "/" + id }

// parent returns the path above a path, "" above the top.
func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }
