//go:build !unix

package storetest

import "testing"

// BlackHole makes an address of this machine swallow connections.
func BlackHole(t testing.TB, _ string) {
	t.Helper()
	t.Fatal("there is no way to do that on this system")
}
