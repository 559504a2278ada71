package conformance

import (
	"errors"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// credentials returns the cases for permissions: an unauthorized client gets
// ErrPermission at once, no error contains its secret, and hidden keys never
// look absent.
func credentials() []testCase {
	need := []Fault{Credentials}
	return []testCase{
		{name: "AUT/BadPassword", run: func(t *test) { refused(t, Impostor) }, needs: need},
		{name: "AUT/NoRights", run: func(t *test) { refused(t, Nobody) }, needs: need},
		{name: "AUT/WriteDenied", run: writeDenied, needs: need},
	}
}

// allowed bounds how long a refusal may take.
const allowed = 5 * time.Second

func (t *test) guarded() (Guarded, *client) {
	g := t.harness.(Guarder).Guarded(t.TB)
	t.ns = g
	owner := t.open()
	owner.do(nil, store.Create("d/k", []byte("v")))
	return g, owner
}

// wantDenied accepts ErrPermission only, in which no secret is to be seen.
func (t *test) wantDenied(what string, err error, secrets []string) {
	t.Helper()
	t.want(what, err, store.ErrPermission)
	for _, s := range secrets {
		if strings.Contains(err.Error(), s) {
			t.Fatalf("%s: the error shows the secret %q: %v", what, s, err)
		}
	}
}

// refused checks a client without permissions: Open, or each call, is refused.
func refused(t *test, who Stranger) {
	g, owner := t.guarded()
	since := time.Now()
	s, secrets, err := g.OpenAs(t.TB, who)
	if took := time.Since(since); took > allowed+slack {
		t.Fatalf("open %s took %v, want %v at most", who, took, allowed)
	}
	if err != nil {
		t.wantDenied("open "+string(who), err, secrets)
		return
	}
	c := t.wrap(s)
	_, err = c.Get(t.ctx(), "d/k")
	t.wantDenied("get "+string(who), err, secrets)
	_, err = c.List(t.ctx(), "d")
	t.wantDenied("list "+string(who), err, secrets)
	w, err := c.Watch(t.ctx(), "d")
	if err == nil {
		_, err = w.Next(t.within(allowed))
		w.Close()
	}
	t.wantDenied("watch "+string(who), err, secrets)
	_, err = c.Commit(t.ctx(), store.Txn{Do: []store.Op{store.Set("d/k", []byte("stolen"))}})
	t.wantDenied("commit "+string(who), err, secrets)
	owner.wantValue("d/k", "v")
}

// writeDenied checks a client that can only read: its reads work, and none of
// its writes is applied.
func writeDenied(t *test) {
	g, owner := t.guarded()
	s, secrets, err := g.OpenAs(t.TB, Reader)
	t.want("open "+string(Reader), err, nil)
	c := t.wrap(s)
	c.wantValue("d/k", "v")
	f := t.follow(c, "d")
	f.untilEqual(owner.list("d"))
	_, err = c.Commit(
		t.ctx(), store.Txn{Do: []store.Op{store.Create("d/new", nil), store.Set("d/k", []byte("stolen"))}},
	)
	t.wantDenied("commit "+string(Reader), err, secrets)
	if _, err = c.NewSession(t.ctx(), store.SessionOptions{}); err == nil {
		t.Fatal("a client that can only read has a session, whose marker is a write")
	}
	if !errors.Is(err, store.ErrPermission) {
		t.Fatalf("new session %s: got %v, want ErrPermission", Reader, err)
	}
	owner.wantValue("d/k", "v")
	owner.wantKeys("d", "d/k")
}
