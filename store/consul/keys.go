package consul

import (
	"strings"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/keyenc"
)

// keyspace maps the keys of one namespace to Consul's keys:
//
//	demo/jobs/report                                        the key jobs/report of the namespace demo
//	demo/.sys/sessions/adf4238a-882b-9ddc-4a9d-5b6758e4159e   the marker of a session
//	team=2Fdemo/jobs/report                                 the same key of the namespace team/demo
//
// A namespace is always one segment, so that none is below another. Bytes
// besides letters, digits, '_', '.' and '-' are written =HH: what Consul
// accepts in a key has changed from one patch release to the next (issues
// 22682, 22850), and what is in a URL is cleaned as a path on the way.
type keyspace struct{ root string }

// maxNamespace is the longest root of a keyspace. See caps for the arithmetic.
const maxNamespace = 200

func newKeyspace(namespace string) keyspace { return keyspace{keyenc.Segment(namespace) + "/"} }

// key returns Consul's key of a store's key.
func (k keyspace) key(key string) string { return k.root + keyenc.Key(key) }

// below returns what all keys strictly below a prefix begin with. Its slash at
// the end keeps "a/keepX" out of "a/keep".
func (k keyspace) below(prefix string) string {
	if prefix == "" {
		return k.root
	}
	return k.key(prefix) + "/"
}

// name returns the store's key of a Consul key, and false for what belongs to
// the driver and for what another program has written that no key has as its
// name.
func (k keyspace) name(key string) (string, bool) {
	rest, below := strings.CutPrefix(key, k.root)
	if !below || strings.HasPrefix(rest, store.Reserved+"/") {
		return "", false
	}
	name, ok := keyenc.Undo(rest)
	return name, ok && store.CheckKey(name) == nil
}

// marker returns the key that exists as long as a session does.
func (k keyspace) marker(id string) string { return k.root + store.Reserved + "/sessions/" + id }

// probe returns a key that is never written; reading it shows that the store
// answers and lets us in.
func (k keyspace) probe() string { return k.root + store.Reserved + "/probe" }
