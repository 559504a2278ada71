// Package zookeeper keeps the scheduler's records in ZooKeeper. Import it for
// its URL scheme:
//
//	import _ "github.com/elasticjob-go/elastic/store/zookeeper"
//
//	s, err := store.Open(ctx, "zookeeper://10.0.0.1,10.0.0.2,10.0.0.3/demo")
//
// # URL
//
//	zookeeper://[user[:password]@]host[:port][,host[:port]…]/[namespace][?param=value[&…]]
//
// Name all servers: the client goes on with those that answer. A host may be a
// name with several addresses: all of them are tried, IPv6 and IPv4 in turn,
// and looked up again at each connection. The port is 2181 if none is given.
// Besides the parameters of [store.Config]:
//
//	watch=classic     for servers before 3.6, and proxies, that know no persistent watches
//	tls=true          connect with TLS; any of the next four means it, too
//	ca=FILE           the authorities that the servers' certificates must come from, PEM; default: the system's
//	cert=FILE         the client's certificate, PEM, with
//	key=FILE          its key
//	server_name=NAME  the name in the servers' certificates, if it is not the host of the URL
//
// There is no SASL. A server that demands it, or another scheme than digest, is
// answered by ErrPermission.
//
// With a user, every connection says so by the scheme "digest", and every node
// is made for this user alone. ZooKeeper does not tell a wrong password from a
// right one until a node is asked for that it does not allow: Open reads the
// root of the namespace, so it says ErrPermission unless the namespace is
// empty.
//
// Open returns when a read in sync with the leader has been answered. If none
// is, its error says what came of each host. It does not wait where waiting
// does not help: for a host that does not exist, for certificates that are
// refused, for another protocol at the port, and for TLS where there is none or
// the other way round.
//
// # Servers
//
// ZooKeeper 3.6 or later, for its persistent recursive watches, or 3.5 with
// watch=classic; it is tested with 3.8. Open says so of an older one. Leave
// jute.maxbuffer (1 MiB) as it is, or raise it. Each process has one connection
// for each session and one for everything else, two as a rule: maxClientCnxns
// (60 for each client address) must allow that.
//
// # Keys
//
// The key jobs/report of the namespace demo is the node /demo/jobs/report=, in
// the directory /demo/jobs; whatever is below /demo/.sys belongs to this
// package. Bytes other than letters, digits, "_", "." and "-" are written =HH,
// and so is the slash in a namespace, so that no namespace is below another.
// Values are as they are. A node of another name is ignored.
//
// Directories are made when they are missing: as containers, which the server
// removes some time after the last node in them. One that has never had a node
// in it, because its maker died in between, stays unless the server is told
// otherwise (znode.container.maxNeverUsedIntervalMs), and does no harm.
//
// # Sessions
//
// A session is one of ZooKeeper's, with a connection of its own, and a marker,
// /demo/.sys/sessions/ID; ID is the session as ZooKeeper prints it, without the
// 0x. To evict a process that hangs, delete its marker: from then on nothing of
// it commits.
//
// Servers grant TTLs between 2 and 20 ticks unless configured otherwise, which
// is 4 s to 40 s; Open asks for both bounds. A session is renewed in every
// quarter of its TTL. It gives itself up a tenth of the TTL before the server
// can, counted from a renewal that the leader must have heard of; a server
// answers for itself first and tells the leader every half tick. The keys of a
// process that dies are gone TTL + 1 tick after its last renewal at the latest.
// If the ensemble changes its leader in between, the new leader gives each
// session its whole TTL again.
//
// # Transactions
//
// One Multi each: 256 keys, 440 KiB for a value, 456 KiB for all. Directories
// that are missing are made before it. When a reply is lost, the transaction is
// sealed by a write to the session's marker before Commit returns, so that no
// late copy of it can commit. Versions begin again when a key has been deleted
// and created: compare them as [store.Version] says.
//
// # Reads and watches
//
// A read is preceded by a transaction that changes nothing, on the same
// connection, and so it is linearizable. A sync would not do: the leader
// answers it from what it has applied itself, which may be behind what a server
// that follows it has acknowledged. A list is several reads and no point in
// time, and the writes of one commit may be told in two updates.
//
// Whatever the number of watches, the server tells of a change once, and it is
// read once. A reader is told Stale when the connection is lost, which is
// noticed after 7 s at the latest if it is merely silent, or the server has
// lost its leader; then everything is read again. An idle process with the
// default TTL sends 24 pings and at most 12 syncs a minute.
//
// The right to read a key that is taken away while a watch is open is missed at
// the next reading of everything at the latest; servers since 3.8.4 don't tell
// before.
package zookeeper
