package storetest

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// RenewedCertificateIsUsed shows that a store whose certificate is renewed in
// its files goes on after the old one has expired and its connections have
// broken. addr is a server that wants certificates of the authority.
func RenewedCertificateIsUsed(t *testing.T, scheme, addr string, a *Authority) {
	t.Helper()
	expiry := time.Now().Add(15 * time.Second) // time to open on a busy machine
	a.Issue("renewed", Until(expiry))
	p := testservers.StartProxy(t, addr)
	files := "?ca=" + a.CA() + "&cert=" + a.Cert("renewed") + "&key=" + a.Key("renewed")
	s := MustOpen(t, scheme+"://"+p.Addr()+"/"+Namespace()+files)
	Commit(t, s, Do(store.Create("k", []byte("1"))))

	a.Issue("renewed")
	Await(t, "the old certificate to expire", func() bool { return time.Now().After(expiry) })
	p.Reset()
	var err error
	Await(t, "a commit on a new connection", func() bool {
		_, err = s.Commit(Bounded(t, Patience), Do(store.Set("k", []byte("2"))))
		return err == nil
	})
}
