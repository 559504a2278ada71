package zookeeper

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestOpenNamesTheHostsThatDontAnswer(t *testing.T) {
	storetest.OpenNamesTheHostsThatDontAnswer(t, map[string]string{
		"zookeeper://SILENT/ns":              "",
		"zookeeper://REFUSING/ns":            "connection refused",
		"zookeeper://REFUSING,SILENT/ns":     "",
		"zookeeper://user:hunter2@SILENT/ns": "not answered",
	})
}

// One of three servers is enough, whatever the other two do, to open and to
// come back to.
func TestOneServerThatAnswersIsEnough(t *testing.T) {
	t.Parallel()
	z := server(t)
	start := time.Now()
	s := openAt(t, "127.0.0.1:1,"+storetest.Silent(t)+","+z.Addr(), storetest.Namespace())
	n, err := s.NewSession(storetest.Bounded(t, storetest.Patience), store.SessionOptions{TTL: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	for range 3 {
		before := n.Deadline()
		l := n.(*session).link
		l.mu.Lock()
		w := l.latest
		l.mu.Unlock()
		w.Close()
		storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before.Add(2*time.Second)) || n.Err() != nil })
		storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Set("live/me", nil)}})
	}
}

func TestOpenRefusesWhatMakesNoSense(t *testing.T) {
	storetest.OpenRefusesWhatMakesNoSense(t, map[string]string{
		"zookeeper:///ns":                          "no host",
		"zookeeper://h/ns?colour=red":              "colour",
		"zookeeper://a%3Ab:c@h/ns":                 "colon",
		"zookeeper://h/" + strings.Repeat("é", 90): "namespace",
	})
}

// The bounds of TTLs are the server's, and what is granted is within them.
func TestCapsAreTheServers(t *testing.T) {
	t.Parallel()
	z := server(t, "minSessionTimeout=3000", "maxSessionTimeout=60000")
	s := storetest.MustOpen(t, z.URL(storetest.Namespace()))
	storetest.Equal(t, "the shortest TTL", s.Caps().MinTTL, 3*time.Second)
	storetest.Equal(t, "the longest TTL", s.Caps().MaxTTL, time.Minute)
	n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "TTL", n.TTL(), 3*time.Second)
}

func TestUserKeepsOthersOut(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	owner := storetest.MustOpen(t, "zookeeper://owner:p%40ss%2F@"+z.Addr()+"/"+ns)
	n, err := owner.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	w, err := owner.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := owner.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}}); err != nil {
		t.Fatal(err)
	}
	for seen := false; !seen; {
		u, err := w.Next(storetest.Bounded(t, storetest.Patience))
		if err != nil {
			t.Fatal(err)
		}
		seen = len(u.Entries) == 1
	}
	for _, who := range []string{"", "owner:wrong@", "other:p%40ss%2F@"} {
		_, err := storetest.Open(t, "zookeeper://"+who+z.Addr()+"/"+ns, storetest.Patience)
		storetest.WantError(t, err, store.ErrPermission)
		storetest.DontMention(t, err, "p@ss", "wrong")
	}
	storetest.MustOpen(t, "zookeeper://owner:p%40ss%2F@"+z.Addr()+"/"+ns)
}
