// Package chaos has no code, only tests: five processes, built from
// examples/worker, share eighty shards of twenty jobs on a real store while
// they, the store and what lies between are killed, frozen, cut off and slowed
// down, every few seconds, for as long as one likes.
//
//	go test -run Chaos/mix/etcd -duration 10m -seed 7     a mix that a seed draws
//	go test -run Chaos/E08                                a row of the table of faults, on every store that it concerns
//
// Each run ends in the same way: everything is healed, the fleet settles,
// everybody leaves; then package internal/checker must find nothing wrong with
// what the handlers wrote and with what the store holds, and package e2e/fenced
// nothing with what a resource was asked to write. What came out is printed as
// a row of a table.
//
// A seed draws the same faults at the same moments on the same processes again.
// What they meet there depends on the machine: a run that failed is not
// repeated by its seed with certainty. Its whole history is kept, as a file
// that the checker reads.
package chaos
