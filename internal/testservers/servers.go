// Package testservers starts the real coordination stores that tests run
// against, in containers or as processes of this machine (see Runtime), and can
// do to them what happens to servers: stop, crash, come back, freeze, and lose
// sight of each other. It also has a TCP proxy that does what happens on the
// way to them.
//
// It uses the standard library only, so that tests of any driver can use it.
package testservers

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// find returns the path of a server's binary: what the environment variable
// says, or .bin/name at the root of the repository, searched upwards from the
// working directory.
func find(t testing.TB, variable, name string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, ".bin", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatalf(
				"no %s server to test against: run `make servers` at the root of the repository, or set %s",
				name, variable,
			)
		}
		dir = parent
	}
}

// freePorts returns ports that were free a moment ago. Another process can take
// them before they are used, so the caller must be ready to ask again.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // only after the last, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
