package zookeeper

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// Servers whose data was put back to an older state refuse a client that has
// seen a newer one, without a word. Reads, watches and transactions go on all
// the same, on the older state.
func TestRestored_StoreIsReadAgain(t *testing.T) {
	t.Parallel()
	z := server(t, "maxSessionTimeout=3000")
	ns := storetest.Namespace()
	for name, params := range map[string]string{"persistent": "", "classic": "?watch=classic"} {
		s := openAt(t, z.Addr(), ns+params)
		storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("old"))))
		m := storetest.Follow(t, s, "")
		m.UntilHas("k", "old")
		kept := z.Save()
		for i := range 20 {
			storetest.Commit(t, s, storetest.Do(store.Set("k", fmt.Append(nil, i))))
		}
		m.UntilHas("k", "19")
		z.PutBack(kept)
		storetest.Equal(t, name, storetest.Read(t, s, "k"), "old")
		m.UntilHas("k", "old")
		storetest.Commit(t, s, storetest.Do(store.Set("k", []byte("new"))))
		m.UntilHas("k", "new")
		n := newSession(t, s)
		storetest.Commit(t, s, storetest.In(n, store.Delete("k")))
		m.Until("the key is gone", func() bool { return len(m.Content) == 0 })
	}
}
