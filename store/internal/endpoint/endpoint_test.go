package endpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestAddresses_HavePort(t *testing.T) {
	got := strings.Join(Addresses([]string{"h", "h:1", "10.0.0.1", "[::1]", "[::1]:1"}, "2379"), " ")
	if want := "h:2379 h:1 10.0.0.1:2379 [::1]:2379 [::1]:1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTLS_AnyParameterTurnsItOn(t *testing.T) {
	a := storetest.NewAuthority(t)
	a.Issue("client")
	for _, c := range []struct {
		params map[string]string
		want   bool
	}{
		{nil, false},
		{map[string]string{"tls": "false"}, false},
		{map[string]string{"tls": "true"}, true},
		{map[string]string{"ca": a.CA()}, true},
		{map[string]string{"server_name": "h"}, true},
		{map[string]string{"cert": a.Cert("client"), "key": a.Key("client")}, true},
	} {
		got, err := TLS(c.params)
		if err != nil || (got != nil) != c.want {
			t.Errorf("%v: got %v, %v", c.params, got, err)
		}
	}
	got, err := TLS(map[string]string{"ca": a.CA(), "cert": a.Cert("client"), "key": a.Key("client"), "server_name": "h"})
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Config("host"); c.RootCAs == nil || len(c.Certificates) != 1 || c.ServerName != "h" {
		t.Errorf("got %+v", c)
	}
}

func TestTLS_RefusesContradictions(t *testing.T) {
	a := storetest.NewAuthority(t)
	a.Issue("client")
	a.Issue("other")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		params map[string]string
		says   string
	}{
		{map[string]string{"tls": "yes"}, `"yes"`},
		{map[string]string{"tls": "false", "ca": a.CA()}, "contradicts"},
		{map[string]string{"ca": "/nowhere.pem"}, "/nowhere.pem"},
		{map[string]string{"ca": empty}, "no certificate"},
		{map[string]string{"cert": a.Cert("client")}, "one without the other"},
		{map[string]string{"cert": a.Cert("client"), "key": a.Key("other")}, "cert and key"},
	} {
		if _, err := TLS(c.params); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v does not mention %q", c.params, err, c.says)
		}
	}
}
