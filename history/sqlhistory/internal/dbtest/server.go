//go:build !windows

// Package dbtest runs database servers as processes, for tests. They listen on
// 127.0.0.1 only, keep their data in temporary directories, and end with the
// test process. Debian's packages postgresql and mariadb-server have them.
package dbtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a database server. Its methods are for the goroutine of the test.
type Server struct {
	Port    int
	data    string
	command []string
	account *user.User // nil: that of the test

	mu     sync.Mutex
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// startLimit bounds how long a server may take to accept connections.
const startLimit = 60 * time.Second

// Addr returns the address of the server.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Postgres starts a PostgreSQL server, whose superuser is "elastic" and needs
// no password. Without PostgreSQL the test is skipped.
func Postgres(t testing.TB) *Server {
	t.Helper()
	initdb := find("initdb", "/usr/lib/postgresql/*/bin")
	postgres := find("postgres", "/usr/lib/postgresql/*/bin")
	if initdb == "" || postgres == "" {
		skip(t, "PostgreSQL", "postgresql")
	}
	s := prepare(t, "postgres")
	s.once(t, initdb, "-D", s.data, "-U", "elastic", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.command = []string{
		postgres,
		"-D", s.data,
		"-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=",
		"-c", "max_connections=60",
		"-c", "log_min_messages=fatal",
	}
	s.Start(t)
	return s
}

// MariaDB starts a MariaDB server, whose superuser is "root" and needs no
// password. Without MariaDB the test is skipped.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	install := find("mariadb-install-db", "/usr/bin")
	mariadbd := find("mariadbd", "/usr/sbin")
	if install == "" || mariadbd == "" {
		skip(t, "MariaDB", "mariadb-server")
	}
	s := prepare(t, "mysql")
	s.once(t, install, "--no-defaults", "--datadir="+s.data, "--auth-root-authentication-method=normal",
		"--skip-test-db")
	s.command = []string{
		mariadbd,
		"--no-defaults",
		"--datadir=" + s.data,
		"--port=" + strconv.Itoa(s.Port),
		"--bind-address=127.0.0.1",
		"--socket=" + filepath.Join(s.data, "s"),
		"--pid-file=" + filepath.Join(s.data, "pid"),
		"--innodb-buffer-pool-size=256M",
	}
	s.Start(t)
	return s
}

// skip skips a test that needs a server, and says so on the terminal.
func skip(t testing.TB, product, pkg string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s is not installed; run make databases, or apt-get install %s\n",
		product, pkg)
	t.Skipf("%s is not installed", product)
}

// find returns the path of a program; empty if there is none.
func find(name, dirs string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob(filepath.Join(dirs, name))
	slices.Sort(paths)
	if len(paths) == 0 {
		return ""
	}
	return paths[len(paths)-1]
}

// prepare makes a directory for a server. The superuser runs it as another
// account, as these servers refuse to run as the superuser.
func prepare(t testing.TB, account string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "elastic-"+account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{data: filepath.Join(dir, "data"), Port: freePort(t)}
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return s
	}
	s.account, err = user.Lookup(account)
	if err != nil {
		s.account, err = user.Lookup("daemon")
	}
	if err != nil {
		t.Fatalf("the superuser cannot run a database server, and there is no account for it: %v", err)
	}
	uid, gid := s.ids()
	for _, path := range []string{dir, s.data} {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *Server) ids() (uid, gid int) {
	uid, _ = strconv.Atoi(s.account.Uid)
	gid, _ = strconv.Atoi(s.account.Gid)
	return uid, gid
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *Server) run(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Dir(s.data)
	cmd.Env = append(os.Environ(), "TZ=Asia/Shanghai", "LC_ALL=C") // times must not depend on the server's zone
	cmd.SysProcAttr = attributes()
	if s.account != nil {
		uid, gid := s.ids()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return cmd
}

// once runs a program to its end.
func (s *Server) once(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := s.run(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Start starts the server, and waits until it accepts connections. It starts a
// server that was killed again.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	cmd := s.run(s.command[0], s.command[1:]...)
	s.output.Reset()
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	ended := make(chan struct{})
	s.cmd, s.ended = cmd, ended
	s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { s.Kill() })
	end := time.Now().Add(startLimit)
	for {
		conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", s.command[0], s.output.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v", s.command[0], err)
		}
	}
}

// Kill ends the server as kill -9 does.
func (s *Server) Kill() {
	s.mu.Lock()
	cmd, ended := s.cmd, s.ended
	s.mu.Unlock()
	if cmd.Process == nil {
		return
	}
	_ = cmd.Process.Kill()
	<-ended
}

// Until calls f until it returns nil, for at most a minute.
func Until(t testing.TB, f func(ctx context.Context) error) {
	t.Helper()
	end := time.Now().Add(startLimit)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := f(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
