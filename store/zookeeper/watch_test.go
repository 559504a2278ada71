package zookeeper

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestWatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T) {
	t.Parallel()
	z := server(t)
	for name, params := range map[string]string{"persistent": "", "classic": "?watch=classic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := backend(z)
			b.Open = func(t testing.TB, addrs, namespace string) store.Store { return openAt(t, addrs, namespace+params) }
			storetest.WatchSaysStaleWithinItsBoundAndCatchesUp(t, b, probeEvery+patience+time.Second, true)
		})
	}
}

// The server's watches end with the last of ours, and a directory that is not
// there yet is followed, too.
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
