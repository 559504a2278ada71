// Package failover decides what an instance does about a shard now. It has pure
// functions, without a clock, a store or a goroutine.
//
// There is one [Record] for each shard. It is idle or running, and only six
// transitions change it: begin, complete, take over, abandon, hand over and
// reclaim. Each is written by compare-and-swap on the version of the record. So
// if two instances try, one wins and the other reads again. A crash between any
// two writes leaves a record that is idle, or running with a dead owner.
// [Decide] handles both as ordinary inputs. There is no third state that needs
// cleaning up.
package failover
