// Package etcd keeps the scheduler's records in etcd. Import it for its URL
// scheme:
//
//	import _ "github.com/elasticjob-go/elastic/store/etcd"
//
//	s, err := store.Open(ctx, "etcd://10.0.0.1,10.0.0.2,10.0.0.3/demo")
//
// # URL
//
//	etcd://[user[:password]@]host[:port][,host[:port]…]/[namespace][?param=value[&…]]
//
// Name all members: the client goes on with those that answer. The port is 2379
// if none is given. Besides the parameters of [store.Config]:
//
//	tls=true          connect with TLS; any of the next four means it, too
//	ca=FILE           the authorities that the servers' certificates must come from, PEM; default: the system's
//	cert=FILE         the client's certificate, PEM, with
//	key=FILE          its key
//	server_name=NAME  the name in the servers' certificates, if it is not the host of the URL
//
// Open returns when a linearizable read has been answered. If none is, its
// error says why on one line, and comes at once where waiting does not help.
// The files of ca, cert, key and password_file are read again when they change.
//
// # Servers
//
// Any etcd from 3.4 on speaks what is used here; it is tested with 3.7. Before
// 3.4.31 and 3.5.13 a leader that hangs may have leases revoked too early (etcd
// issue 15247); before 3.5.24 and 3.6.5 a lease that is just being revoked may
// still be renewed. A session then believes in itself for up to a third of its
// TTL too long, while the guard keeps its transactions out.
//
// Leave --max-txn-ops (128) and --max-request-bytes (1.5 MiB) as they are, or
// raise them. With authentication on, a user needs one role that may read and
// write the range of its namespace:
//
//	etcdctl role grant-permission ROLE readwrite /demo/ /demo0
//
// Without TLS a password crosses the network in clear text.
//
// # Keys
//
// The key jobs/report of the namespace demo is /demo/jobs/report; whatever is
// below /demo/.sys/ belongs to this package. A slash in a namespace is written
// %2F, so that no namespace is below another. Values are as they are: etcdctl
// shows and changes them, with one exception. A plain `etcdctl put` on an
// ephemeral key takes it away from its session and makes it a lasting one; use
// `etcdctl put --ignore-lease`.
//
// # Sessions
//
// A session is a lease with a marker key on it, /demo/.sys/sessions/ID; ID is
// the lease as etcdctl prints it. To evict a process that hangs, revoke its
// lease, or delete its marker.
//
// TTLs are whole seconds, and the server raises them to one and a half
// elections, which is 2 s by default. A session gives itself up a tenth of the
// TTL before the server can. The keys of a process that dies are gone TTL + 1 s
// after its last renewal at the latest, that is at most 11 s after it died with
// the default TTL; if the cluster changes its leader in between, the new leader
// gives each lease its whole TTL again.
//
// # Transactions
//
// One transaction of etcd each: 127 keys, 1 MiB for a value, 64 KiB more for
// all. The client library never sends one twice. When a reply is lost, the
// transaction is sealed by a write to the session's marker before Commit
// returns, so that no late copy of it can commit. A read then often shows that
// it was not applied, and the error is ErrUnavailable in place of ErrUnknown.
//
// A store whose quota is used up answers "no space" to writes that it has
// applied, too: they are ErrUnknown. Sessions go on, and keys can still be
// deleted.
//
// # Watches
//
// The watches of a store share one stream. A reader is told Stale at the latest
// 6 s after contact with the servers, or theirs with a leader, was lost; a
// connection that breaks is resumed without loss, and anything worse ends in a
// Reset. An idle process with the default TTL sends 18 renewals and 15 requests
// for a sign of life a minute.
package etcd
