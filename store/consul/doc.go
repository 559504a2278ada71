// Package consul keeps the scheduler's records in Consul's key-value store.
// Import it for its URL scheme:
//
//	import _ "github.com/elasticjob-go/elastic/store/consul"
//
//	s, err := store.Open(ctx, "consul://127.0.0.1:8500/demo")
//
// # URL
//
//	consul://host[:port][,host[:port]…]/[namespace][?param=value[&…]]
//
// A host is a Consul agent: best the one of the same machine, or several
// servers. One is used until it fails, then the next. The port is 8500 if none
// is given, and 8501 with TLS. Besides the parameters of [store.Config]:
//
//	token_file=FILE       the file that holds the ACL token; read again when the token is refused
//	token_env=NAME        the environment variable that holds it
//	token=TOKEN           the token itself
//	dc=NAME               the data centre, if it is not the agent's own
//	ns=NAME               the namespace of Consul Enterprise, and
//	partition=NAME        the partition
//	session_ttl_min=TIME  what the servers' configuration says, if it is less than Consul's default of 10s
//	tls=true              connect with TLS; any of the next four means it, too
//	ca=FILE               the authorities that the agents' certificates must come from, PEM; default: the system's
//	cert=FILE             the client's certificate, PEM, with
//	key=FILE              its key
//	server_name=NAME      the name in the agents' certificates, if it is not the host of the URL
//
// The environment variables of Consul's own tools, such as CONSUL_HTTP_ADDR,
// have no say. Open returns when a linearizable read has been answered. If none
// is, its error says why the last attempt failed, for each host.
//
// A host may be a name with several addresses. All of them are tried, 250 ms
// apart, IPv6 and IPv4 in turn, and looked up again at each connection.
//
// # Servers
//
// Consul from 1.14 on will do, in any edition; it is tested with 1.22. An older
// one is refused. With ACLs on, a token needs
//
//	key_prefix "demo/" { policy = "write" }
//	session_prefix "" { policy = "write" }   # or the names of the agents' nodes
//
// Without TLS a token crosses the network in clear text.
//
// What a token may not read Consul leaves out of its answers without a word in
// them. The driver refuses such answers, for which Consul has to say that it
// did: to those who show a token it does.
//
// # Keys
//
// The key jobs/report of the namespace demo is demo/jobs/report; whatever is
// below demo/.sys/ belongs to this package. Bytes besides letters, digits, '_',
// '.' and '-' are written =HH. Values are as they are: `consul kv` shows and
// changes them. Flags are a random number, as Consul does nothing for a write
// that changes nothing.
//
// # Sessions
//
// A session is one of Consul's, with a marker key that it locks,
// demo/.sys/sessions/ID, and ephemeral keys are locked in the same way. To
// evict a process that hangs, destroy its session, or delete its marker. A
// session belongs to the node of the agent that it was started through, and
// ends when that node leaves the catalogue, and otherwise with its TTL alone:
// it is bound to no health check.
//
// The shortest TTL is the servers' session_ttl_min, 10 s if they don't say
// otherwise. A session gives itself up a tenth of the TTL early. Consul is
// slower: it ends a session when twice the TTL has passed since the last
// renewal. So the keys of a process that dies are gone 20 s after its last
// renewal with the default TTL; if the cluster changes its leader in between,
// the new leader counts twice the TTL again.
//
// # Transactions
//
// One transaction of Consul each: 63 keys, 256 KiB for a value, 64 KiB more for
// all. When a reply is lost, the transaction is sealed by a write to the
// session's marker before Commit returns, so that no late copy of it can
// commit. A read then tells in most cases whether it was applied, by the random
// number in its keys, and Commit says so.
//
// # Watches
//
// Consul sends all keys of a watched prefix whenever one of them changes, so
// watch small ones: a change below ten thousand keys costs each of its watchers
// tens of milliseconds. Each watch is a request that waits, and a connection:
// see the agents' limits.http_max_conns_per_client, which is 200. A reader is
// told Stale at the latest 6 s after contact with a leader was lost. Who leads
// is looked at every 10 s while there are watches: a query that was passed on
// to a leader which is cut off would wait for it. An idle process with the
// default TTL makes 18 renewals a minute, six such looks, and two requests for
// each watch.
package consul
