// Package integration tests the behaviour of package elastic through its public
// API: several instances on one memory store, in virtual time. Its files are
// named for the behaviour that they test.
package integration
