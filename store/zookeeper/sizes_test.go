package zookeeper

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// ZooKeeper cuts the connection on which a request is too large, which looks
// like an unknown outcome. So what Caps allows must pass in the worst case:
// with every byte of a key escaped, the longest namespace, and a user.
func TestLargestTransactionPassesAndALargerOneIsNotSent(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	ns := strings.Repeat("n", 200) + "/" + strings.Repeat("n", maxNamespace-1-200-len("=2F"))
	s := storetest.MustOpen(t, "zookeeper://user:password@"+p.addr()+"/"+ns+"?request_timeout=20s")
	caps := s.Caps()
	n, err := s.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	segment := strings.Repeat("é", store.MaxSegment/2)
	key := func(i int) string {
		k := fmt.Sprintf("k%03d", i)
		for len(k)+1+len(segment) <= store.MaxKey {
			k += "/" + segment
		}
		return k
	}
	var ops []store.Op
	left := caps.MaxTxn
	for i := range caps.MaxOps {
		k := key(i)
		value := bytes.Repeat([]byte("v"), (left-len(k)*(caps.MaxOps-i))/(caps.MaxOps-i))
		left -= len(k) + len(value)
		ops = append(ops, store.Create(k, value))
	}
	largest := store.Txn{Session: n, Do: ops}
	storetest.Equal(t, "bytes", largest.Bytes() > caps.MaxTxn-caps.MaxOps, true)
	storetest.Commit(t, s, largest)

	p.take()
	ops[0].Value = append(ops[0].Value, bytes.Repeat([]byte("v"), caps.MaxOps)...)
	_, err = s.Commit(t.Context(), largest)
	storetest.WantError(t, err, store.ErrTooLarge)
	_, err = s.Commit(t.Context(), storetest.Do(store.Create("v", make([]byte, caps.MaxValue+1))))
	storetest.WantError(t, err, store.ErrTooLarge)
	storetest.Equal(t, "sent", p.take(), "")
	storetest.Commit(t, s, storetest.Do(store.Create("v", make([]byte, caps.MaxValue))))
	storetest.Equal[error](t, "the session", n.Err(), nil)
}

// A server that takes less than the driver thinks ends the connection. The
// error names the suspicion, with a session and without, and the session lives
// on.
func TestSizes_LowerLimitIsSuspected(t *testing.T) {
	t.Parallel()
	z := server(t, "-Djute.maxbuffer=16384")
	s := openAt(t, z.Addr(), storetest.Namespace())
	n := newSession(t, s)
	large := store.Create("large", make([]byte, 20<<10))
	for _, txn := range []store.Txn{storetest.In(n, large), storetest.Do(large)} {
		_, err := s.Commit(storetest.Bounded(t, storetest.Patience), txn)
		storetest.WantError(t, err, store.ErrUnknown)
		storetest.Mention(t, err, "21 KiB", "jute.maxbuffer")
	}
	storetest.Commit(t, s, storetest.In(n, store.Create("small", make([]byte, 10<<10))))
	storetest.Equal[error](t, "the session", n.Err(), nil)
}

func TestNamespacesDontSeeEachOther(t *testing.T) {
	t.Parallel()
	z := server(t)
	base := storetest.Namespace()
	names := []string{base, base + "/a", base + "/a/b", base + "a", base + "%2520", base + "%20"}
	var all []*client
	var watches []*storetest.Mirror
	for _, name := range names {
		s := openAt(t, z.Addr(), name)
		all = append(all, s)
		watches = append(watches, storetest.Follow(t, s, ""))
	}
	for i, s := range all {
		storetest.Commit(t, s, storetest.Do(store.Create("a/b", []byte(names[i]))))
	}
	for i, s := range all {
		storetest.Equal(t, names[i], storetest.Read(t, s, "a/b"), names[i])
		watches[i].UntilHas("a/b", names[i])
		storetest.Equal(t, names[i]+" is told", fmt.Sprint(watches[i].Content), fmt.Sprintf("map[a/b:%s]", names[i]))
		watches[i].SameAsList(s, "")
	}
}
