// Package sharding assigns the shards of a job to instances.
//
// A [Strategy] is a pure function of the name of the job, its number of shards,
// the live instances and the previous owners. It uses no store, no clock and no
// random numbers. Two processes that know the same facts compute the same
// assignment, so it does not matter which of them computes it.
//
// [Sticky] is the default. It moves the fewest shards, and spreads many small
// jobs evenly. [Average], [Odevity], [Rotate] and [Single] assign as the
// strategies of ElasticJob do, for users who rely on its numbering. ElasticJob
// lists instances in descending order of ID, and so do these, whatever the
// order of the arguments. [Static] moves no shard whose owner is live, [Pin]
// assigns shards to instances by name, and [Func] makes a function a strategy.
//
// An assignment tells which instance should act. It does not guarantee that two
// instances never run one shard at once; claims do (see package failover).
package sharding
