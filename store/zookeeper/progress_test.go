package zookeeper

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A list or a watch of many keys may take longer than one request may, as long
// as answers come; and so may a watch that waits for the reading of another.
func TestProgress_BoundsListsAndWatches(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := testservers.StartProxy(t, z.Addr())
	ns := storetest.Namespace()
	const keys = 600
	other := openAt(t, z.Addr(), ns)
	for i := 0; i < keys; {
		var ops []store.Op
		for ; len(ops) < 100; i++ {
			ops = append(ops, store.Create(fmt.Sprintf("d/%04d", i), make([]byte, 200)))
		}
		storetest.Commit(t, other, storetest.Do(ops...))
	}
	const limit = time.Second
	for _, mode := range []string{"persistent", "classic"} {
		s := storetest.MustOpen(t, "zookeeper://"+p.Addr()+"/"+ns+"?request_timeout=1s&watch="+mode)
		storetest.Equal(t, "k", storetest.Read(t, s, "k"), "-")
		p.Trickle(testservers.ToClient)
		start := time.Now()
		got, err := s.List(t.Context(), "d")
		if err != nil {
			t.Fatal(mode, err)
		}
		storetest.Equal(t, "keys", len(got), keys)
		if took := time.Since(start); took < 2*limit {
			t.Fatalf("the list took %v, which shows nothing", took)
		}
		failed := make(chan error)
		for range 2 {
			go func() {
				w, err := s.Watch(t.Context(), "d")
				if err == nil {
					defer w.Close()
					var u store.Update
					u, err = w.Next(t.Context())
					if err == nil && len(u.Entries) != keys {
						err = fmt.Errorf("%d keys", len(u.Entries))
					}
				}
				failed <- err
			}()
		}
		for range 2 {
			if err := <-failed; err != nil {
				t.Error(mode, err)
			}
		}
		p.Heal()
		// Silence in the middle ends the call.
		p.Hold(testservers.ToClient)
		_, err = s.List(t.Context(), "d")
		storetest.WantError(t, err, store.ErrUnavailable)
		p.Heal()
	}
}
