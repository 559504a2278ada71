package elasticjob

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// selfSigned writes a certificate of 127.0.0.1 to ca, and with its key to both.
func selfSigned(t *testing.T) (ca, both string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "zookeeper"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	dir := t.TempDir()
	ca, both = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "both.pem")
	err = errors.Join(os.WriteFile(ca, cert, 0o600), os.WriteFile(both, append(secret, cert...), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return ca, both
}

// The doctor's client speaks TLS with the certificates that its URL names, and
// says why if it can't.
func TestOpen_TLS(t *testing.T) {
	ca, both := selfSigned(t)
	other, _ := selfSigned(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	server := testservers.StartZooKeeper(t,
		"secureClientPort="+port,
		"secureClientPortAddress=127.0.0.1",
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location="+both,
		"ssl.keyStore.type=PEM",
		"ssl.trustStore.location="+ca,
		"ssl.trustStore.type=PEM",
		"ssl.clientAuth=none")
	fill(t, connect(t, server), []string{"/ns", "/ns/report"})

	open := func(url string, limit time.Duration) ([]string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		client, err := Open(ctx, url)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		return client.Jobs(ctx)
	}
	names, err := open("zookeeper://"+addr+"/ns?ca="+ca, time.Minute)
	if err != nil || !slices.Equal(names, []string{"report"}) {
		t.Errorf("got %q, %v, want the namespace's node", names, err)
	}
	for _, row := range []struct{ name, url, want string }{
		{"another authority", "zookeeper://" + addr + "/ns?ca=" + other, "certificate"},
		{"TLS at the plain port", "zookeeper://" + server.Addr() + "/ns?ca=" + ca, "secureClientPort"},
		{"plain at the TLS port", "zookeeper://" + addr + "/ns", "takes TLS at this port"},
	} {
		_, err := open(row.url, 5*time.Second)
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "deadline") {
			t.Errorf("%s: got %v, want store.ErrUnavailable with %q", row.name, err, row.want)
		} else {
			t.Logf("%s: %v", row.name, err)
		}
	}
}
