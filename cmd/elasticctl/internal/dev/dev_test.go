package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/etcd"
)

// instanceVariable makes the test binary an instance of the demo: URL and name.
const instanceVariable = "ELASTIC_TEST_DEMO_INSTANCE"

func TestMain(m *testing.M) {
	if url, name, ok := strings.Cut(os.Getenv(instanceVariable), " "); ok {
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		if err := Instance(context.Background(), url, name, os.Stdin, log); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, s *Server) store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close(context.Background()) })
	return opened
}

// The data and the address stay from one start to the next.
func TestStart_KeepsData(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Config{Dir: dir})
	create := store.Txn{Do: []store.Op{store.Create("kept", []byte("yes"))}}
	if _, err := open(t, first).Commit(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, Config{Dir: dir})
	defer second.Close()
	if second.URL() != first.URL() {
		t.Errorf("the URL was %s and is %s", first.URL(), second.URL())
	}
	if entry, err := open(t, second).Get(t.Context(), "kept"); err != nil || string(entry.Value) != "yes" {
		t.Errorf("the data is %q, %v", entry.Value, err)
	}
}

// A second start in the same directory finds the first, also one that is just
// beginning.
func TestStart_FindsFirst(t *testing.T) {
	dir := t.TempDir()
	const many = 4
	servers, errs := make([]*Server, many), make([]error, many)
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() { servers[i], errs[i] = Start(t.Context(), Config{Dir: dir}) })
	}
	group.Wait()
	var started *Server
	for i, err := range errs {
		switch {
		case err == nil && started == nil:
			started = servers[i]
		case !errors.Is(err, ErrRunning):
			t.Errorf("start %d: got %v, want ErrRunning", i, err)
		}
	}
	if started == nil {
		t.Fatal("none started")
	}
	defer started.Close()
	for i, s := range servers {
		if s != nil && s.State != started.State {
			t.Errorf("start %d found %v, want %v", i, s.State, started.State)
		}
	}
}

// A temporary directory is gone after the end.
func TestClose_RemovesTemporaryData(t *testing.T) {
	s := start(t, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// What can't be started is an error that says where, and ends no process.
func TestStart_Refuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port

	spoiled := t.TempDir()
	start(t, Config{Dir: spoiled}).Close()
	db := filepath.Join(spoiled, "etcd", "member", "snap", "db")
	if err := os.WriteFile(db, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"a port that is taken", Config{Dir: t.TempDir(), Port: port}, fmt.Sprintf("port %d is taken", port)},
		{"data that etcd can't read", Config{Dir: spoiled}, "start etcd in " + spoiled},
		{"a file in place of the directory", Config{Dir: file}, file},
	} {
		s, err := Start(t.Context(), c.config)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// The demo's instances run its jobs, are killed and start again, and drain at
// the end. Jobs fail, time out and skip fires.
func TestFleet_RunsAndIsKilled(t *testing.T) {
	s := start(t, Config{})
	defer s.Close()
	var mu sync.Mutex
	var told []string
	fleet := Fleet{
		Command: func(name string) *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), instanceVariable+"="+s.URL()+" "+name)
			return cmd
		},
		Dir: t.TempDir(),
		Tell: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, text)
		},
		Kill:    10 * time.Second,
		Restart: time.Second,
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }()
	logs := func() string {
		var all strings.Builder
		for _, name := range Instances {
			text, _ := os.ReadFile(filepath.Join(fleet.Dir, name+".log"))
			all.Write(text)
		}
		mu.Lock()
		defer mu.Unlock()
		return all.String() + strings.Join(told, "\n")
	}
	for _, want := range []string{
		"of report succeeded", "451: try again later", "of summary succeeded",
		"was killed with SIGKILL", "starts again", "took",
	} {
		for end := time.Now().Add(2 * time.Minute); !strings.Contains(logs(), want); time.Sleep(50 * time.Millisecond) {
			select {
			case err := <-ended:
				t.Fatalf("the demo ended: %v\n%s", err, logs())
			default:
			}
			if time.Now().After(end) {
				stop()
				t.Fatalf("waited in vain for %q\n%s", want, logs())
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
