package zookeeper

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestWatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T) {
	t.Parallel()
	z := server(t)
	for name, fault := range map[string]func(p *servers.Proxy){
		"black hole":      func(p *servers.Proxy) { p.Hold(servers.Both) },
		"replies only":    func(p *servers.Proxy) { p.Hold(servers.ToClient) },
		"lost replies":    func(p *servers.Proxy) { p.Drop(servers.ToClient) },
		"cut":             (*servers.Proxy).Cut,
		"forgotten lines": (*servers.Proxy).Mute,
	} {
		for _, params := range []string{"", "?watch=classic"} {
			t.Run(name+params, func(t *testing.T) {
				t.Parallel()
				p, ns := servers.StartProxy(t, z.Addr()), storetest.Namespace()
				s, other := openAt(t, p.Addr(), ns+params), openAt(t, z.Addr(), ns)
				storetest.Commit(t, other, storetest.Do(store.Create("w/kept", []byte("0")), store.Create("w/gone", []byte("0"))))
				m := storetest.Follow(t, s, "w")
				m.UntilHas("w/gone", "0")

				start := time.Now()
				fault(p)
				m.Until("stale", func() bool { return m.Last.Stale })
				if took := time.Since(start); took > probeEvery+patience+time.Second {
					t.Errorf("stale after %v, the bound is %v", took, probeEvery+patience)
				}
				storetest.Commit(t, other, storetest.Do(store.Set("w/kept", []byte("1")), store.Delete("w/gone"), store.Create("w/new/deep", nil), store.Create("w/short", nil)))
				storetest.Commit(t, other, storetest.Do(store.Delete("w/short")))
				p.Heal()
				m.Until("not stale", func() bool { return !m.Last.Stale })
				m.SameAsList(other, "w")
				storetest.Commit(t, other, storetest.Do(store.Set("w/kept", []byte("2"))))
				m.UntilHas("w/kept", "2")
				storetest.Commit(t, other, storetest.Do(store.Create("w/new/later", []byte("3"))))
				m.UntilHas("w/new/later", "3")
			})
		}
	}
}

// The server's watches end with the last of ours, and a directory that is not there yet is followed, too.
func TestWatchesLeaveNothingOnTheServer(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	watched := func() int {
		t.Helper()
		text, err := z.Ask("wchs") // "1 connections watching 2 paths\nTotal watches:2"
		if err != nil {
			t.Fatal(err)
		}
		var connections, paths, watches int
		if _, err := fmt.Sscanf(text, "%d connections watching %d paths\nTotal watches:%d", &connections, &paths, &watches); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return watches
	}
	var all []*storetest.Mirror
	for i := range 50 {
		all = append(all, storetest.Follow(t, s, fmt.Sprint("d/", i%5)))
	}
	storetest.Equal(t, "watches on the server", watched(), 5)
	for _, m := range all[:45] {
		m.Watch.Close()
	}
	storetest.Equal(t, "watches on the server", watched(), 5)
	for _, m := range all[45:] {
		m.Watch.Close()
	}
	storetest.Await(t, "no watch on the server", func() bool { return watched() == 0 })
}
