// Package e2e has no code, only tests: real processes, built from examples/worker, share the shards of jobs on a real server of each kind of store and
// are killed, frozen and asked to leave. Whatever is done to them, package internal/checker must find nothing wrong in the end with
// what their handlers wrote and with what the store holds.
package e2e
