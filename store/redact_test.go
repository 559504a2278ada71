package store

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Nothing that Redact, ParseURL, Open or a Config prints shows the secret of a
// URL, wherever the user has put it and however it is encoded.
func TestRedact_HidesSecretsInEveryPlace(t *testing.T) {
	Register("redact", Driver{
		Open:   func(context.Context, Config) (Store, error) { return nil, fmt.Errorf("%w: refused", ErrPermission) },
		Params: []string{"dc", "token", "token_env", "token_file", "key", "apikey", "mode"},
	})
	t.Setenv("REDACT_TEST", "S3cr3t")
	for _, raw := range []string{
		// Characters of a password that are not percent-encoded.
		"etcd://root:pa?S3cr3t@h/ns", "etcd://root:12?S3cr3t@h/ns", "etcd://root:p@a?S3cr3t@h/ns", "etcd://root:S3cr3t?a=b@h/ns?tls=true", "etcd://root:a?b&c=S3cr3t@h/ns",
		"etcd://root:p/S3cr3t@h/ns", "etcd://root:p#S3cr3t@h/ns", "etcd://root:p%zzS3cr3t@h/ns", "etcd://root:a,S3cr3t@h/ns", "etcd://root:a:S3cr3t@h/ns", "etcd://:S3cr3t@h/ns",
		"etcd://root:1/S3cr3t?x=@h/ns", "etcd://root:S3cr3t/ns", "etcd://root:cafeS3cr3t,h/ns", "etcd://root:a;S3cr3t@h/ns", "etcd://root:a\nS3cr3t@h/ns", "etcd://root:a S3cr3t@h/ns",
		// Users that are tokens.
		"consul://S3cr3t@h/ns", "consul://S3cr3t:@h/ns", "consul://S3cr3t:x@h/ns", "Consul://S3cr3t@h/ns", "redact://S3cr3t@h/ns", "consul://a?S3cr3t@h/ns", "S3cr3t@h/ns",
		"etcd://S3cr3t@h/ns", "zookeeper://a%3AS3cr3t@h/ns", "etcd://a?S3cr3t@h/ns?password_env=REDACT_TEST", "https://S3cr3t:x-oauth@h/ns",
		// Parameters.
		"redact://h/ns?token=S3cr3t", "redact://h/ns?pwd=S3cr3t", "redact://h/ns?passwd=S3cr3t", "redact://h/ns?acl=S3cr3t", "redact://h/ns?auth=S3cr3t", "redact://h/ns?apikey=S3cr3t",
		"redact://h/ns?dc=a;token=S3cr3t", "redact://h/ns?dc=a&amp;token=S3cr3t", "redact://h/ns?dc=a?token=S3cr3t", "redact://h/ns?dc=a%26token=S3cr3t", "redact://h/ns?dc=a,token=S3cr3t",
		"redact://h/ns?S3cr3t", "redact://h/ns?S3cr3t=", "redact://h/ns?x=S3cr3t", "redact://h/ns?TOKEN=S3cr3t", "redact://h/ns?token=a&token=S3cr3t", "redact://h/ns?S3cr3t&S3cr3t",
		"redact://h/ns?token_env=S3cr3t", "redact://h/ns?token_file=S3cr3t", "redact://h/ns?password_env=S3cr3t", "redact://h/ns?password_file=S3cr3t", "redact://h/ns?key=S3cr3t",
		"redact://h/ns?password_env=REDACT_TEST", "redact://u@h/ns?password_env=REDACT_TEST", "redact://h/ns?session_ttl=1s;token=S3cr3t", "redact://h/ns?a/b:S3cr3t=1",
		"etcd:root:S3cr3t@h/ns", "etcd:/root:S3cr3t@h/ns", "etcd:///root:S3cr3t@h/ns", "//root:S3cr3t@h/ns", "root:S3cr3t@h",
	} {
		checkHidden(t, raw, Redact(raw))
		_, err := Open(t.Context(), raw)
		if err == nil {
			t.Fatalf("%s: opened", raw)
		}
		checkHidden(t, raw, printed(err))
		if c, err := ParseURL(raw); err != nil {
			checkHidden(t, raw, printed(err))
		} else {
			checkHidden(t, raw, printed(c))
			checkHidden(t, raw, printed(&c))
			checkHidden(t, raw, printed([]any{map[string]any{"c": c}, struct{ C Config }{c}}))
		}
	}
}

func checkHidden(t *testing.T, raw, text string) {
	t.Helper()
	for _, form := range []string{"S3cr3t", fmt.Sprintf("%x", "S3cr3t"), fmt.Sprintf("%X", "S3cr3t")} {
		if strings.Contains(text, form) {
			t.Errorf("%q is shown: %s", raw, text)
		}
	}
}

// printed returns v in every way in which programs print things.
func printed(v any) string {
	var b bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&b, format+"\n", v)
	}
	asJSON, _ := json.Marshal(v)
	asXML, _ := xml.Marshal(v)
	b.Write(asJSON)
	b.Write(asXML)
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("JSON", "v", v)
	return b.String()
}

// What is no secret stays: an error that hides everything helps nobody.
func TestRedact_ShowsWhatIsNoSecret(t *testing.T) {
	for raw, want := range map[string]string{
		"etcd://root:pw@h1:2379,[::1]:2381,fe80::1/team/app?session_ttl=10s": "etcd://root:***@h1:2379,[::1]:2381,fe80::1/team/app?session_ttl=10s",
		"etcd://root@h/ns?password_env=STORE_PASSWORD":                       "etcd://root@h/ns?password_env=STORE_PASSWORD",
		"zookeeper://u:p@h/ns?password_file=/run/pw":                         "zookeeper://u:***@h/ns?password_file=/run/pw",
		"etcd://h/ns?ca=certs/ca.pem&key=./k":                                "etcd://h/ns?ca=certs/ca.pem&key=./k",
		"etcd://h:99999/ns":                                                  "etcd://h:99999/ns",
		"etcd://::1/ns":                                                      "etcd://::1/ns",
		"file:///var/lib/x":                                                  "file:///var/lib/x",
		"etcd://root:a?b@h/ns":                                               "etcd://root:***@h/ns",
		"consul://t@h/ns":                                                    "consul://***@h/ns",
		"":                                                                   "",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

// An error of a driver is shown without the password, whoever has put it there,
// and is still found by errors.Is.
func TestPortable_ErrorsHoldNoSecrets(t *testing.T) {
	c := Config{Scheme: "etcd", User: "root", Password: "S3cr3t/x", Params: map[string]string{"token": "T0k3n"}}
	p := NewPortable(echo{}, c)
	_, err := p.Get(t.Context(), "k")
	for _, text := range []string{printed(err), printed(p)} {
		if strings.Contains(text, "S3cr3t") || strings.Contains(text, "T0k3n") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "get k") {
		t.Errorf("got %v", err)
	}
}

// echo is a store whose server repeats what it was sent.
type echo struct{ Store }

func (echo) Caps() Caps { return Caps{} }
func (echo) Get(context.Context, string) (Entry, error) {
	return Entry{}, fmt.Errorf("%w: no user S3cr3t/x, S3cr3t%%2Fx nor T0k3n", ErrPermission)
}
