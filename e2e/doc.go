// Package e2e has no code, only tests: real processes, built from
// examples/worker, share the shards of jobs on a real server of each kind of
// store and are killed, frozen and asked to leave. In the end package
// internal/checker must find no breach in the journals of the handlers and in
// the content of the store.
//
// On an overloaded machine a process that gets no CPU time is as good as
// frozen. The tests read from the kernel how long each thread of workers and
// servers has waited, and count that as a fault. Statements of a worker about
// itself excuse nothing.
package e2e
