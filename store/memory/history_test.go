package memory_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func TestHistoryTellsAllCommitsInOrder(t *testing.T) {
	simulate(t, func(w world) {
		var got []string
		w.server.OnCommit(func(c memory.Commit) {
			keys := ""
			for _, op := range c.Do {
				keys += " " + op.Key
			}
			got = append(got, fmt.Sprintf("%d %s %s %s%s", c.Rev, c.Client, c.Session, c.Cause, keys))
			w.server.Dump() // a hook may read
		})
		a, b := w.connect("a"), w.connect("b")
		s1, s2 := w.session(a, 3*time.Second), w.session(b, 3*time.Second)
		w.commit(a, s1, store.CreateEphemeral("x", nil), store.CreateEphemeral("y", nil))
		w.commit(b, nil, store.Create("z", nil))
		s2.Close(w.Context())
		a.Cut()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		want := []string{"1 a s1 started", "2 b s2 started", "3 a s1 committed x y", "4 b  committed z", "5 b s2 ended", "6 a s1 expired x y"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
