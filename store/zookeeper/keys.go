package zookeeper

import (
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// layout maps the keys of one namespace to ZooKeeper's paths:
//
//	/demo/jobs/report=              the key jobs/report of the namespace demo
//	/demo/.sys/sessions/694d7aa1    the marker of a session
//	/team=2Fdemo/jobs/report=       the same key of the namespace team/demo
//
// A namespace is always one segment, so that none is below another. Bytes that ZooKeeper or a shell may not carry are
// written =HH.
//
// The mark at its end tells a key from a directory. Without it a key could be found where an empty directory has been left
// behind, and set, and deleted; a key could not be created there; and an ephemeral key could have none below it.
type layout struct{ root string }

const mark = "="

// maxNamespace is the longest root of a layout. See caps for the arithmetic.
const maxNamespace = 400

func newLayout(namespace string) layout {
	if namespace == "zookeeper" { // which is the server's own at the top
		return layout{"/=7Aookeeper"}
	}
	return layout{"/" + escape(namespace)}
}

// key returns the path of a key.
func (l layout) key(key string) string { return l.directory(key) + mark }

// directory returns the path of the directory of a prefix, with everything that is below the prefix in it. That of the
// empty prefix is the root.
func (l layout) directory(prefix string) string {
	var b strings.Builder
	b.WriteString(l.root)
	if prefix == "" {
		return b.String()
	}
	for segment := range strings.SplitSeq(prefix, "/") {
		b.WriteByte('/')
		b.WriteString(escape(segment))
	}
	return b.String()
}

// name returns the key of a path, and false for directories, for what belongs to the driver, and for what no key has as its
// path.
func (l layout) name(path string) (string, bool) {
	rest, below := strings.CutPrefix(path, l.root+"/")
	rest, marked := strings.CutSuffix(rest, mark)
	if !below || !marked || strings.HasPrefix(rest, store.Reserved+"/") {
		return "", false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		plain, ok := unescape(s)
		if !ok {
			return "", false
		}
		segments[i] = plain
	}
	return strings.Join(segments, "/"), true
}

// isDirectory says whether keys may be below a path that is the root or in a directory.
func (l layout) isDirectory(path string) bool {
	if path == l.root {
		return true
	}
	_, ok := unescape(path[strings.LastIndexByte(path, '/')+1:])
	return ok && path != l.root+"/"+store.Reserved
}

func (l layout) markers() string         { return l.root + "/" + store.Reserved + "/sessions" }
func (l layout) marker(id string) string { return l.markers() + "/" + id }

// parent returns the path above a path, "" above the top.
func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '.' || b == '-'
}

func escape(segment string) string {
	var b strings.Builder
	for i := range len(segment) {
		if c := segment[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// unescape undoes escape, and returns false for what escape does not return of a segment.
func unescape(segment string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		switch c := segment[i]; {
		case plain(c):
			b.WriteByte(c)
		case c == '=' && i+2 < len(segment):
			var n byte
			if _, err := fmt.Sscanf(segment[i+1:i+3], "%02X", &n); err != nil {
				return "", false
			}
			b.WriteByte(n)
			i += 2
		default:
			return "", false
		}
	}
	return b.String(), segment != "" && escape(b.String()) == segment
}
