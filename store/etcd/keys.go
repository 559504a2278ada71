package etcd

import (
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// keyspace maps the keys of one namespace to etcd's keys:
//
//	/demo/jobs/report               the key jobs/report of the namespace demo
//	/demo/.sys/sessions/694d7aa1    the marker of a session
//	/team%2Fdemo/jobs/report        the same key of the namespace team/demo
//
// A namespace is always one segment, so that none is below another: etcd's keys
// have no directories, and a read of "/team/" would see "/team/demo/…". etcd
// carries any byte, so the keys themselves are not escaped.
type keyspace struct{ root string }

// maxNamespace keeps a transaction of Caps.MaxTxn bytes, each of whose keys is
// sent up to three times with its namespace, below etcd's limit for a request.
const maxNamespace = 400

func newKeyspace(namespace string) keyspace {
	return keyspace{"/" + strings.NewReplacer("%", "%25", "/", "%2F").Replace(namespace) + "/"}
}

// key returns etcd's key of a store's key.
func (k keyspace) key(key string) string { return k.root + key }

// below returns the bounds of all keys strictly below a prefix: the end of a
// range is the first key that is not in it, and the byte after '/' is '0'.
func (k keyspace) below(prefix string) (from, to string) {
	if prefix != "" {
		prefix += "/"
	}
	from = k.root + prefix
	return from, from[:len(from)-1] + "0"
}

// name returns the store's key of an etcd key below the root, and false for
// those of the driver.
func (k keyspace) name(key []byte) (string, bool) {
	name := string(key[len(k.root):])
	return name, !strings.HasPrefix(name, store.Reserved+"/")
}

// marker returns the key that exists as long as a session does.
func (k keyspace) marker(id string) string { return k.root + store.Reserved + "/sessions/" + id }

// probe returns a key that is never written; reading it shows that the store
// answers and lets us in.
func (k keyspace) probe() string { return k.root + store.Reserved + "/probe" }
