// Package chaos has no code, only tests: five processes, built from
// examples/worker, share eighty shards of twenty jobs on a real store while
// they, the store and what lies between are killed, frozen, cut off and slowed
// down every few seconds, for the given duration.
//
//	go test -run Chaos/mix/etcd -duration 10m -seed 7    faults drawn by a seed
//	go test -run Chaos/E08          a row of the table
//
// Each run ends in the same way: all faults are repaired, the fleet settles,
// and all processes drain. Then package internal/checker must find no breach in
// the journals and in the content of the store, and package e2e/fenced none in
// the log of a resource. The figures are printed as a row of a table.
//
// A seed draws the same faults at the same moments on the same processes again.
// Their effect depends on the machine, so a seed does not repeat a failed run
// with certainty. Its whole history is kept as a file that the checker reads.
package chaos
