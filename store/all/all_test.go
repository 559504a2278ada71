package all

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

func TestEverySchemeOpens(t *testing.T) {
	if got, want := store.Schemes(), []string{"consul", "etcd", "file", "memory", "zookeeper"}; !slices.Equal(got, want) {
		t.Errorf("got the schemes %v, want %v", got, want)
	}
	for scheme, url := range map[string]func(t *testing.T) string{
		"memory":    func(*testing.T) string { return "memory://all" },
		"file":      func(t *testing.T) string { return "file://" + t.TempDir() + "/all" },
		"etcd":      func(t *testing.T) string { return testservers.StartEtcd(t).URL("all") },
		"zookeeper": func(t *testing.T) string { return testservers.StartZooKeeper(t).URL("all") },
		"consul":    func(t *testing.T) string { return testservers.StartConsul(t).URL("all") },
	} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), url(t))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(context.Background())
			if _, err := s.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("k", []byte("v"))}}); err != nil {
				t.Fatal(err)
			}
			if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" || s.Caps().Driver != scheme {
				t.Errorf("got %q, %v from %s, want what was written, from %s", e.Value, err, s.Caps().Driver, scheme)
			}
		})
	}
}

// saying returns where all that goes through the global loggers ends up, until
// the test ends.
func saying(t *testing.T) *said {
	s := &said{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(s)
	t.Cleanup(func() { slog.SetDefault(before); log.SetOutput(os.Stderr) })
	return s
}

type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// silent is a host that takes connections and says nothing; closed is one that
// nobody listens on.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	return l.Addr().String()
}

func closed(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestASchemeOfNobodySaysWhatToImport(t *testing.T) {
	_, err := store.Open(t.Context(), "redis://user:"+url.QueryEscape(planted)+"@host/ns")
	if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "consul, etcd, file, memory, zookeeper") || !strings.Contains(err.Error(), "store/all") {
		t.Errorf("got %v, want all schemes and what to import", err)
	}
}
