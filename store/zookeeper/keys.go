package zookeeper

import (
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/escape"
)

// layout maps the keys of one namespace to ZooKeeper's paths:
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
type layout struct{ root string }

const mark = "="

// maxNamespace is the longest root of a layout. See caps for the arithmetic.
const maxNamespace = 400

func newLayout(namespace string) layout {
	if namespace == "zookeeper" { // which is the server's own at the top
		return layout{"/=7Aookeeper"}
	}
	return layout{"/" + escape.Segment(namespace)}
}

// key returns the path of a key.
func (l layout) key(key string) string { return l.directory(key) + mark }

// directory returns the path of the directory of a prefix, with everything that
// is below the prefix in it. That of the empty prefix is the root.
func (l layout) directory(prefix string) string {
	if prefix == "" {
		return l.root
	}
	return l.root + "/" + escape.Key(prefix)
}

// name returns the key of a path, and false for directories, for what belongs
// to the driver, and for what no key has as its path.
func (l layout) name(path string) (string, bool) {
	rest, below := strings.CutPrefix(path, l.root+"/")
	rest, marked := strings.CutSuffix(rest, mark)
	if !below || !marked || strings.HasPrefix(rest, store.Reserved+"/") {
		return "", false
	}
	key, ok := escape.Undo(rest)
	return key, ok && store.CheckKey(key) == nil
}

// isDirectory reports whether keys may be below a path that is the root or in a
// directory.
func (l layout) isDirectory(path string) bool {
	if path == l.root {
		return true
	}
	_, ok := escape.Undo(path[strings.LastIndexByte(path, '/')+1:])
	return ok && path != l.root+"/"+store.Reserved
}

func (l layout) markers() string         { return l.root + "/" + store.Reserved + "/sessions" }
func (l layout) marker(id string) string { return l.markers() + "/" + id }

// parent returns the path above a path, "" above the top.
func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }
