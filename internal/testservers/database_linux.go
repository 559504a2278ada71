package testservers

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Database is a database server with a database "test" and a user "java". It
// listens on 127.0.0.1 only, keeps its data in a temporary directory, and ends
// with the test.
type Database struct {
	Scheme   string // mysql or postgres
	Password string // of the user

	t       testing.TB
	dir     string
	data    string
	port    string
	account *user.User // nil: that of the test
	running *exec.Cmd
	output  bytes.Buffer
}

// StartMariaDB starts a MariaDB server. Without Debian's package mariadb-server
// the test is skipped, and says so on the terminal; with CI set it fails.
func StartMariaDB(t testing.TB, password string) *Database {
	t.Helper()
	install := databaseProgram(t, "mariadb-server", "mariadb-install-db", "/usr/bin")
	daemon := databaseProgram(t, "mariadb-server", "mariadbd", "/usr/sbin")
	d := newDatabase(t, "mysql", "mysql", password)
	d.do(install, "--no-defaults", "--datadir="+d.data, "--auth-root-authentication-method=normal", "--skip-test-db")
	first := filepath.Join(d.dir, "first.sql")
	d.write(first, "CREATE DATABASE test CHARACTER SET utf8mb4;\n"+
		"CREATE USER java@'%' IDENTIFIED BY '"+quoted(password)+"';\nGRANT ALL ON test.* TO java@'%';\n")
	d.serve(daemon, "--no-defaults", "--datadir="+d.data, "--port="+d.port, "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(d.dir, "s"), "--pid-file="+filepath.Join(d.dir, "pid"), "--init-file="+first)
	return d
}

// StartPostgres starts a PostgreSQL server. Without Debian's package postgresql
// the test is skipped, and says so on the terminal; with CI set it fails.
func StartPostgres(t testing.TB, password string) *Database {
	t.Helper()
	const dirs = "/usr/lib/postgresql/*/bin"
	initdb := databaseProgram(t, "postgresql", "initdb", dirs)
	daemon := databaseProgram(t, "postgresql", "postgres", dirs)
	d := newDatabase(t, "postgres", "postgres", password)
	d.do(initdb, "-D", d.data, "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	d.write(filepath.Join(d.data, "pg_hba.conf"), "host all java 127.0.0.1/32 scram-sha-256\n")
	single := d.command(daemon, "--single", "-D", d.data, "postgres")
	single.Stdin = strings.NewReader("CREATE USER java PASSWORD '" + quoted(password) + "'\n" +
		"CREATE DATABASE test OWNER java\n")
	if out, err := single.CombinedOutput(); err != nil {
		t.Fatalf("make a database: %v\n%s", err, out)
	}
	d.serve(daemon, "-D", d.data, "-p", d.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	ready := databaseProgram(t, "postgresql-client", "pg_isready", dirs)
	d.until(ready, func() error { return d.command(ready, "-h", "127.0.0.1", "-p", d.port).Run() })
	return d
}

// quoted doubles the quotes of a text in SQL.
func quoted(text string) string { return strings.ReplaceAll(text, "'", "''") }

// URL returns the data source of the user.
func (d *Database) URL() string {
	return fmt.Sprintf("%s://java:%s@127.0.0.1:%s/test", d.Scheme, url.PathEscape(d.Password), d.port)
}

// databaseProgram returns the path of a program, or skips the test.
func databaseProgram(t testing.TB, deb, name, dirs string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if paths, _ := filepath.Glob(filepath.Join(dirs, name)); len(paths) > 0 {
		return paths[len(paths)-1]
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: apt-get install %s", name, deb)
	}
	fmt.Fprintf(os.Stderr, "NOT TESTED: %s needs %s: apt-get install %s\n", t.Name(), name, deb)
	t.Skipf("%s is not installed", name)
	return ""
}

// newDatabase makes the directory of a server. The superuser runs it as another
// account, as these servers refuse to run as the superuser.
func newDatabase(t testing.TB, scheme, account, password string) *Database {
	t.Helper()
	dir, err := os.MkdirTemp("", "elastic-"+scheme)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &Database{
		Scheme:   scheme,
		Password: password,
		t:        t,
		dir:      dir,
		data:     filepath.Join(dir, "data"),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close()
	if os.Geteuid() == 0 {
		d.account, err = user.Lookup(account)
		if err != nil {
			t.Fatalf("the superuser can't run a database server, and the account %s is missing: %v", account, err)
		}
	}
	if err := os.Mkdir(d.data, 0o700); err != nil {
		t.Fatal(err)
	}
	d.own(d.dir)
	d.own(d.data)
	return d
}

// own gives a file to the account of the server.
func (d *Database) own(path string) {
	d.t.Helper()
	if d.account == nil {
		return
	}
	uid, gid := d.ids()
	if err := os.Chown(path, int(uid), int(gid)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Database) ids() (uid, gid uint32) {
	u, _ := strconv.ParseUint(d.account.Uid, 10, 32)
	g, _ := strconv.ParseUint(d.account.Gid, 10, 32)
	return uint32(u), uint32(g)
}

func (d *Database) write(file, text string) {
	d.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.own(file)
}

func (d *Database) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "TZ=America/New_York", "LC_ALL=C") // times must not depend on it
	cmd.SysProcAttr = dieWithParent()
	if d.account != nil {
		uid, gid := d.ids()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return cmd
}

func (d *Database) do(name string, args ...string) {
	d.t.Helper()
	if out, err := d.command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// serve starts the server and waits until it accepts connections.
func (d *Database) serve(name string, args ...string) {
	d.t.Helper()
	d.running = d.command(name, args...)
	d.running.Stdout, d.running.Stderr = &d.output, &d.output
	if err := d.running.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = d.running.Wait()
		close(ended)
	}()
	d.t.Cleanup(func() {
		_ = d.running.Process.Kill()
		<-ended
	})
	d.until(name, func() error {
		select {
		case <-ended:
			d.t.Fatalf("%s ended:\n%s", name, d.output.String())
		default:
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", d.port), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// until calls f until it succeeds, for at most a minute.
func (d *Database) until(name string, f func() error) {
	d.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s: the server does not answer: %v", name, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
