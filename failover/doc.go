// Package failover is the record of a shard and the decision what to do with it now: pure functions, without a
// clock, a store or a goroutine.
//
// There is one record a shard. It is idle or running, and only six transitions change it: begin, complete, take
// over, abandon, hand over and reclaim. Each is written by compare-and-swap on the record's version, so of two instances that try,
// one wins and the other reads again. A crash between any two writes leaves a record that is idle, or running with a dead
// owner. Both are ordinary inputs of [Decide]: there is no third state that somebody would have to clean up.
package failover
