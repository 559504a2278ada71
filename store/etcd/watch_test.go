package etcd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/elasticjob-go/elastic/store/internal/watchbuf"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// hastyBound is until when the readers of a hasty store are told that its
// server is away.
const hastyBound = time.Second // 600 ms + 400 ms

// hasty makes a store look for signs of life more often, so that tests need not
// wait for seconds.
func hasty(s *client) *client {
	s.probeEvery, s.patience, s.conns.silence = 600*time.Millisecond, 400*time.Millisecond, 100*time.Millisecond
	return s
}

func TestWatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T) {
	storetest.WatchSaysStaleWithinItsBoundAndCatchesUp(t, backend(server(t)), hastyBound+500*time.Millisecond, true)
}

func TestWatchResetsWhenTheHistoryIsCutOff(t *testing.T) {
	e := server(t)
	p, s, other := backend(e).BehindProxy(t)
	hasty(s.(*client))
	raw := admin(t, e)
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0")), store.Create("w/b", []byte("0"))))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "0")
	storetest.Equal(t, "resets", m.Resets, 1)

	p.Cut()
	for i := range 10 {
		storetest.Commit(t, other, storetest.Do(store.Set("w/a", fmt.Append(nil, i))))
	}
	storetest.Commit(t, other, storetest.Do(store.Delete("w/b")))
	now, err := raw.Get(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Compact(t.Context(), now.Header.Revision); err != nil {
		t.Fatal(err)
	}
	p.Heal()
	m.Until("a reset", func() bool { return m.Resets == 2 && !m.Last.Stale })
	m.SameAsList(other, "w")
}

func TestWatchOutlivesTheServer(t *testing.T) {
	t.Parallel()
	storetest.WatchOutlivesTheServer(t, backend(server(t)))
}

// A watch of revisions that a server restored from a backup has not reached yet
// would wait for them in silence.
func TestWatchResetsWhenTheStoreGoesBack(t *testing.T) {
	t.Parallel()
	e := server(t)
	ns := storetest.Namespace()
	s, other := hasty(openAt(t, e.Addr(), ns)), openAt(t, e.Addr(), ns)
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0"))))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "0")
	// The same watch, as if it had come from a store that was far ahead.
	n := &watch{store: s, prefix: "w", box: watchbuf.New()}
	n.ctx, n.cancel = context.WithCancel(s.running.Context())
	defer n.cancel()
	s.running.AddWatch(n, func() { n.run(s.revision.Load() + 1_000_000) })
	m = storetest.NewMirror(t, n)
	m.UntilHas("w/a", "0")
	storetest.Equal(t, "resets", m.Resets, 1)
	storetest.Commit(t, other, storetest.Do(store.Set("w/a", []byte("1"))))
	m.UntilHas("w/a", "1")
}

func TestCommitIsNeverSplitOverTwoUpdates(t *testing.T) {
	storetest.CommitIsNeverSplitOverTwoUpdates(t, backend(server(t)), 100, 100)
}

func TestSlowReaderIsToldTheLastStateOnly(t *testing.T) {
	storetest.SlowReaderIsToldTheLastStateOnly(t, backend(server(t)), 300, func(_ store.Store, w store.Watch, last store.Version, keys int) {
		storetest.Await(t, "the changes to arrive", func() bool { return w.(*watch).seen.Load() >= int64(last) })
		storetest.Equal(t, "keys kept", w.(*watch).box.Len(), keys)
	})
}

func TestEndOfContextEndsNextOnly(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	start, cancel := context.WithCancel(context.Background())
	w, err := s.Watch(start, "w")
	if err != nil {
		t.Fatal(err)
	}
	cancel() // bounds the start only
	m := storetest.NewMirror(t, w)
	m.Next()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.Next(ctx); err != context.DeadlineExceeded {
		t.Fatalf("got %v", err)
	}
	storetest.Commit(t, s, storetest.Do(store.Create("w/a", []byte("1"))))
	m.UntilHas("w/a", "1")
	w.Close()
	w.Close()
	_, err = w.Next(context.Background())
	storetest.WantError(t, err, store.ErrClosed)
}

// Events that a server sends again, or late, must not take the reader back in
// time.
func TestOldEventsAreIgnored(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	w := &watch{store: s, prefix: "w"}
	v1 := storetest.Commit(t, s, storetest.Do(store.Create("w/a", []byte("1"))))[0]
	v2 := storetest.Commit(t, s, storetest.Do(store.Set("w/a", []byte("2"))))[0]
	var got []*clientv3.Event
	for reply := range s.client.Watch(t.Context(), s.keys.key("w/a"), clientv3.WithRev(int64(v1))) {
		if got = append(got, reply.Events...); len(got) == 2 {
			break
		}
	}
	storetest.Equal(t, "changes after 0", len(w.changes(got, 0)), 2)
	storetest.Equal(t, "changes after the first", len(w.changes(got, int64(v1))), 1)
	storetest.Equal(t, "changes after the second", len(w.changes(got, int64(v2))), 0)
}
