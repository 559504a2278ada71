package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStoreURLsInAllTheirForms(t *testing.T) {
	t.Setenv("TEST_STORE_PASSWORD", "from env")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		url  string
		want Config
	}{
		{"memory://demo", Config{Scheme: "memory", Hosts: []string{"demo"}, Namespace: "elastic"}},
		{"memory://", Config{Scheme: "memory", Namespace: "elastic"}},
		{"etcd://h1/ns", Config{Scheme: "etcd", Hosts: []string{"h1"}, Namespace: "ns"}},
		{"etcd://h1:2379,h2,[::1]:2381/team/app", Config{Scheme: "etcd", Hosts: []string{"h1:2379", "h2", "[::1]:2381"}, Namespace: "team/app"}},
		{"etcd://[::1]/ns/", Config{Scheme: "etcd", Hosts: []string{"[::1]"}, Namespace: "ns"}},
		{"etcd://u:p%40ss%2F@h1/ns", Config{Scheme: "etcd", User: "u", Password: "p@ss/", Hosts: []string{"h1"}, Namespace: "ns"}},
		{"etcd://u@h1/ns?password_env=TEST_STORE_PASSWORD", Config{Scheme: "etcd", User: "u", Password: "from env", Hosts: []string{"h1"}, Namespace: "ns"}},
		{"etcd://u@h1/ns?password_file=" + file, Config{Scheme: "etcd", User: "u", Password: "from file", Hosts: []string{"h1"}, Namespace: "ns"}},
		{"etcd://h1/ns?session_ttl=30s&request_timeout=1s", Config{Scheme: "etcd", Hosts: []string{"h1"}, Namespace: "ns", SessionTTL: 30 * time.Second, RequestTimeout: time.Second}},
	} {
		if row.want.RequestTimeout == 0 {
			row.want.RequestTimeout = DefaultRequestTimeout
		}
		got, err := ParseURL(row.url)
		if err != nil {
			t.Errorf("%s: %v", row.url, err)
			continue
		}
		if got.Scheme != row.want.Scheme || got.User != row.want.User || got.Password != row.want.Password || !slices.Equal(got.Hosts, row.want.Hosts) ||
			got.Namespace != row.want.Namespace || got.SessionTTL != row.want.SessionTTL || got.RequestTimeout != row.want.RequestTimeout || len(got.Params) != 0 {
			t.Errorf("%s:\n got %+v\nwant %+v", row.url, fields(got), fields(row.want))
		}
	}
}

// fields shows a Config with its password, which its own String does not.
func fields(c Config) string {
	return fmt.Sprintf("%s user=%q password=%q hosts=%q ns=%q ttl=%s timeout=%s params=%v", c.Scheme, c.User, c.Password, c.Hosts, c.Namespace, c.SessionTTL, c.RequestTimeout, c.Params)
}

func TestPathIsWhatTheNamespaceWasTakenFrom(t *testing.T) {
	for url, want := range map[string]string{
		"etcd://h": "", "etcd://h/": "/", "etcd://h/ns/?session_ttl=9s": "/ns/", "x:///var/lib/my%20app/%40jobs": "/var/lib/my app/@jobs", "x:///a//": "/a//",
	} {
		c, err := ParseURL(url)
		if err != nil || c.Path != want {
			t.Errorf("%s: path %q, error %v, want %q", url, c.Path, err, want)
		}
		trimmed := strings.Trim(want, "/")
		if trimmed == "" {
			trimmed = DefaultNamespace
		}
		if c.Namespace != trimmed {
			t.Errorf("%s: namespace %q, want %q", url, c.Namespace, trimmed)
		}
	}
}

func TestStoreURLsThatAreWrongSayWhat(t *testing.T) {
	for url, want := range map[string]string{
		"":                                    "scheme://host/namespace",
		"localhost:2379":                      "scheme://host/namespace",
		"://h/ns":                             "scheme://host/namespace",
		"etcd://h1,,h2/ns":                    "empty host",
		"etcd://h1:2379:1/ns":                 `host "h1:2379:1"`,
		"etcd://::1/ns":                       `host "::1"`,
		"etcd://h/../x":                       `".."`,
		"etcd://h/.sys":                       `".sys"`,
		"etcd://h/ns?session_ttl=fast":        `session_ttl="fast"`,
		"etcd://h/ns?session_ttl=-1s":         "positive duration",
		"etcd://h/ns?a=1&a=2":                 `"a" is given 2 times`,
		"etcd://h/ns?password_env=NOT_SET":    `"NOT_SET" is not set`,
		"etcd://h/ns?password_file=/not/here": "/not/here",
		"etcd://u:p%zz@h/ns":                  "percent-encoded",
		"etcd://h/%zz":                        "percent-encoded",
	} {
		_, err := ParseURL(url)
		if err == nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want an ErrInvalid that says %q", url, err, want)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "s3cr3t"
	for _, url := range []string{
		"etcd://u:s3cr3t@h/ns", "etcd://u:s3cr3t@h/ns?x=1", "etcd://h/ns?token=s3cr3t", "etcd://h/ns?acl_token=s3cr3t&x=1", "etcd://h/ns?Password=s3cr3t",
		"etcd://u:s3cr3t%zz@h/ns", "etcd://u:s3/s3cr3t@h,,/ns", "u:s3cr3t@h", "etcd://u:a@s3cr3t@h,,/ns",
	} {
		if got := Redact(url); strings.Contains(got, secret) {
			t.Errorf("Redact(%q) = %q", url, got)
		}
		c, err := ParseURL(url)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error on %q shows the secret: %v", url, err)
			}
			continue
		}
		for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
			if got := fmt.Sprintf(format, c); strings.Contains(got, secret) {
				t.Errorf("%s of the config of %q = %s", format, url, got)
			}
		}
		if _, err := Open(t.Context(), url); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the error of Open(%q) shows the secret: %v", url, err)
		}
	}
	if got := Redact("etcd://h/ns?password_file=/etc/pw"); got != "etcd://h/ns?password_file=/etc/pw" {
		t.Errorf("Redact hides where a secret is: %s", got)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"etcd://u:p@h1:1,[::1]:2/a/b?c=d&e=f", "memory://", "://", "a://@", "a://?%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if strings.Contains(url, "password_file") || strings.Contains(url, "password_env") {
			t.Skip("reads the machine's files")
		}
		c, err := ParseURL(url)
		if err != nil {
			return
		}
		if err := CheckKey(c.Namespace); err != nil {
			t.Errorf("%q: namespace %q: %v", url, c.Namespace, err)
		}
		if c.Password != "" && len(c.Password) > 3 && strings.Contains(c.String(), ":"+c.Password+"@") {
			t.Errorf("%q: String shows the password: %s", url, c)
		}
	})
}
