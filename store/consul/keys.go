package consul

import (
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// layout maps the keys of one namespace to Consul's keys:
//
//	demo/jobs/report                                        the key jobs/report of the namespace demo
//	demo/.sys/sessions/adf4238a-882b-9ddc-4a9d-5b6758e4159e   the marker of a session
//	team=2Fdemo/jobs/report                                 the same key of the namespace team/demo
//
// A namespace is always one segment, so that none is below another. Bytes besides letters, digits, '_', '.' and '-' are
// written =HH: what Consul accepts in a key has changed from one patch release to the next (issues 22682, 22850), and
// what is in a URL is cleaned as a path on the way.
type layout struct{ root string }

// maxNamespace is the longest root of a layout. See caps for the arithmetic.
const maxNamespace = 200

func newLayout(namespace string) layout { return layout{escape(namespace) + "/"} }

// key returns Consul's key of a store's key.
func (l layout) key(key string) string {
	var b strings.Builder
	b.WriteString(l.root)
	for i, segment := range strings.Split(key, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(escape(segment))
	}
	return b.String()
}

// below returns what all keys strictly below a prefix begin with. Its slash at the end keeps "a/keepX" out of "a/keep".
func (l layout) below(prefix string) string {
	if prefix == "" {
		return l.root
	}
	return l.key(prefix) + "/"
}

// name returns the store's key of a Consul key, and false for what belongs to the driver and for what somebody else
// has written that no key has as its name.
func (l layout) name(key string) (string, bool) {
	rest, below := strings.CutPrefix(key, l.root)
	if !below || strings.HasPrefix(rest, store.Reserved+"/") {
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
	name := strings.Join(segments, "/")
	return name, store.CheckKey(name) == nil
}

// marker returns the key that exists as long as a session does.
func (l layout) marker(id string) string { return l.root + store.Reserved + "/sessions/" + id }

// probe returns a key that is never written; reading it shows that the store answers and lets us in.
func (l layout) probe() string { return l.root + store.Reserved + "/probe" }

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

// unescape undoes escape, and returns false for what escape does not return.
func unescape(segment string) (string, bool) {
	if !strings.Contains(segment, "=") {
		return segment, escape(segment) == segment
	}
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c == '=' {
			if i+2 >= len(segment) {
				return "", false
			}
			if _, err := fmt.Sscanf(segment[i+1:i+3], "%02X", &c); err != nil {
				return "", false
			}
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), escape(b.String()) == segment
}
