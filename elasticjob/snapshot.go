package elasticjob

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stat is the part of a znode's stat that rules look at.
type Stat struct {
	Created  time.Time // by the server's clock
	Modified time.Time
	Czxid    int64 // the transaction that created the node
	Mzxid    int64 // the transaction that last changed its data
	Version  int32 // of its data; 0 again when it has been deleted and created
	Cversion int32 // grows with each child that comes or goes
	Session  int64 // the owner of an ephemeral node; 0 for a persistent one
}

// Node is one znode that was read.
type Node struct {
	Data string
	Stat Stat
}

// Unread is a node that could not be read, or that a reader left out.
type Unread struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Snapshot is one job's nodes as one collect has read them. Reading takes
// several round trips, so a snapshot need not be a point in time; see
// [Client.Collect]. A snapshot is not changed after it was made.
type Snapshot struct {
	Job    string
	At     time.Time        // when the collect ended, by the reader's clock
	Nodes  map[string]*Node // by path below the job's node, which is ""
	Unread []Unread
}

// at returns a node, or nil.
func (s *Snapshot) at(path string) *Node { return s.Nodes[path] }

// below returns the names of a node's children that were read, sorted; numbers
// by their value.
func (s *Snapshot) below(path string) []string {
	names := map[string]bool{}
	for p := range s.Nodes {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") {
			names[rest] = true
		}
	}
	return slices.SortedFunc(maps.Keys(names), byNumber)
}

// byNumber orders numbers by value and before other names.
func byNumber(a, b string) int {
	n, errA := strconv.Atoi(a)
	m, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return n - m
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// same reports whether two snapshots hold the same nodes in the same state.
func (s *Snapshot) same(t *Snapshot) bool {
	return maps.EqualFunc(s.Nodes, t.Nodes, func(a, b *Node) bool {
		return a.Stat.Czxid == b.Stat.Czxid && a.Stat.Mzxid == b.Stat.Mzxid && a.Stat.Cversion == b.Stat.Cversion
	})
}

// itemNumber returns the number that a child of sharding or of failover/items
// has. Java parses it with Integer.parseInt.
func itemNumber(name string) (int, bool) {
	n, err := strconv.ParseInt(name, 10, 32)
	return int(n), err == nil && n >= 0 && strconv.FormatInt(n, 10) == name
}
