package storetest

import (
	"net"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// NameWithDeadAddresses opens a store by a name with several addresses, of
// which one serves, and uses it. The test must not run beside others.
func NameWithDeadAddresses(t *testing.T, b Backend) {
	for name, addrs := range map[string][]string{
		"IPv4": {"127.0.0.2", "127.0.0.3", "127.0.0.4"},
		"IPv6": {"::1", "127.0.0.4"},
	} {
		kill := map[string]func(t testing.TB, addr string){
			"silent": BlackHole,
			"hangs":  func(t testing.TB, addr string) { Listen(t, addr) },
			"ends":   endsConnections,
		}
		for how, dead := range kill {
			t.Run(name+" "+how, func(t *testing.T) {
				port, last := Free(t), addrs[len(addrs)-1]
				for _, a := range addrs[:len(addrs)-1] {
					dead(t, net.JoinHostPort(a, port))
				}
				Forward(t, net.JoinHostPort(last, port), b.Server.Addr())
				StartNameServer(t, addrs...).Use(t)
				s := b.Open(t, "store.example.test:"+port, Namespace())
				n := Session(t, s, Lasting)
				m := Follow(t, s, "")
				Commit(t, s, In(n, store.Create("k", []byte("1"))))
				m.UntilHas("k", "1")
			})
		}
	}
}

// NameGetsDeadAddresses while a session runs: all its connections break, and
// the first address of the name serves no longer, or the name server does not.
// The session goes on, and so do transactions and watches. The test must not
// run beside others.
func NameGetsDeadAddresses(t *testing.T, b Backend, ttl time.Duration) {
	for name, fault := range map[string]func(t testing.TB, n *NameServer, port string){
		"an address is silent": func(t testing.TB, n *NameServer, port string) {
			BlackHole(t, "127.0.0.2:"+port)
			n.Answer("127.0.0.2", "127.0.0.4")
		},
		"an address hangs": func(t testing.TB, n *NameServer, port string) {
			Listen(t, "127.0.0.2:"+port)
			n.Answer("127.0.0.2", "127.0.0.4")
		},
		"the name server is silent": func(_ testing.TB, n *NameServer, _ string) { n.Silence() },
		"the name server fails":     func(_ testing.TB, n *NameServer, _ string) { n.Break() },
	} {
		t.Run(name, func(t *testing.T) {
			port := Free(t)
			stop := Forward(t, "127.0.0.4:"+port, b.Server.Addr())
			names := StartNameServer(t, "127.0.0.4")
			names.Use(t)
			ns := Namespace()
			s, other := b.Open(t, "store.example.test:"+port, ns), b.Open(t, b.Server.Addr(), ns)
			n := Session(t, s, ttl)
			m := Follow(t, s, "w")
			Commit(t, s, In(n, store.CreateEphemeral("live", nil)))
			fault(t, names, port)
			stop()
			Forward(t, "127.0.0.4:"+port, b.Server.Addr())
			before := n.Deadline()
			Await(t, "a renewal", func() bool { return n.Deadline().After(before.Add(ttl/2)) || n.Err() != nil })
			Equal[error](t, "the session", n.Err(), nil)
			Commit(t, s, In(n, store.Set("live", []byte("1"))))
			Commit(t, other, Do(store.Create("w/k", []byte("1"))))
			m.UntilHas("w/k", "1")
		})
	}
}

// endsConnections makes an address take connections and end them at once.
func endsConnections(t testing.TB, addr string) {
	l := Listen(t, addr)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}
