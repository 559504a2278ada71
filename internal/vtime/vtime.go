// Package vtime runs tests in virtual time.
package vtime

import (
	"testing"
	"testing/synctest"
)

// Test is synctest.Test, made safe under the race detector: see docs/decisions/0006.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	oneProcessor()
	synctest.Test(t, f)
}

// Protect does what Test does besides, for code that finds itself in a bubble that somebody else has made.
func Protect() { oneProcessor() }
