package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A URL that is nearly right is answered by the right one.
func TestOpen_KnowsTheSchemeThatWasMeant(t *testing.T) {
	Register("testing", Driver{Open: func(context.Context, Config) (Store, error) { return nil, errors.New("opened") }})
	for url, want := range map[string]string{
		"ETCD://127.0.0.1:2379/demo":  "did you mean etcd://?",
		"Zookeeper://h/demo":          "did you mean zookeeper://?",
		"zk://h/demo":                 `did you mean zookeeper://? Then import its package, _ "github.com/elasticjob-go/elastic/store/zookeeper"`,
		"tcp://h/demo":                "import its package",
		"etcd3://h/demo":              "did you mean etcd://?",
		"ectd://h/demo":               "did you mean etcd://?",
		"ETCDS://h/demo":              "did you mean etcd://…?tls=true?",
		"consul+https://h/demo":       "did you mean consul://…?tls=true?",
		"files:///tmp/x":              "did you mean file://?",
		"mem://":                      "did you mean memory://?",
		"Testing://h/demo":            "did you mean testing://?",
		"etcd://h/demo":               `import its package, such as _ "github.com/elasticjob-go/elastic/store/etcd"`,
		"http://127.0.0.1:2379/demo":  "the scheme is the store's name",
		"redis://127.0.0.1/0":         `import its package, such as _ "github.com/elasticjob-go/elastic/store/all"`,
		"file:/tmp/x":                 "write file:///tmp/x",
		"file:tmp/x":                  "write file:///tmp/x",
		"FILE:/tmp/x":                 "write file:///tmp/x",
		"memory:":                     "write memory://",
		"memory":                      "write memory://",
		"etcd:127.0.0.1:2379/demo":    "write etcd://127.0.0.1:2379/demo",
		"etcd:/127.0.0.1:2379/demo":   "write etcd://127.0.0.1:2379/demo",
		"etcd//127.0.0.1/demo":        "write etcd://127.0.0.1/demo",
		"zk:u:hunter2@h/demo":         "write zookeeper://u:***@h/demo",
		"/var/lib/jobs":               "write file:///var/lib/jobs",
		"./jobs":                      "write file:// and its whole path",
		"127.0.0.1:2379":              "want scheme://host/namespace",
		"localhost:2379/demo":         "want scheme://host/namespace",
		"etcd://127.0.0.1:99999/demo": "want a port from 1 to 65535",
		"etcd://[::1]:0/demo":         "want a port from 1 to 65535",
		"etcd://h:/demo":              "want host, host:port",
		"etcd://:hunter2@h/demo":      "the password has no user",
	} {
		_, err := Open(t.Context(), url)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: the error shows the password, or has two lines: %v", url, err)
		}
	}
	if _, err := Open(t.Context(), "testing://h/demo"); err == nil || !strings.Contains(err.Error(), "opened") {
		t.Errorf("the right scheme: %v", err)
	}
}

// A password that no user has is refused, wherever it comes from.
func TestParseURL_RefusesAPasswordWithoutUser(t *testing.T) {
	t.Setenv("TEST_STORE_PASSWORD", "hunter2")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"etcd://h/ns?password_env=TEST_STORE_PASSWORD", "etcd://h/ns?password_file=" + file, "etcd://:hunter2@h/ns"} {
		_, err := ParseURL(url)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "has no user") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", url, err)
		}
	}
}
