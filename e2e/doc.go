// Package e2e has no code, only tests: real processes, built from
// examples/worker, share the shards of jobs on a real server of each kind of
// store and are killed, frozen and asked to leave. Whatever is done to them,
// package internal/checker must find nothing wrong in the end with what their
// handlers wrote and with what the store holds.
//
// On a machine with too much to do a process that gets no processor is as good
// as frozen. The kernel is asked for how long each thread of workers and
// servers has waited, and what it says counts as something that was done to
// them. Nothing that a worker says about itself excuses anything.
package e2e
