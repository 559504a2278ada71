// Package sharding decides which instance owns which shard of a job.
//
// A [Strategy] is a pure function of the job's name, its number of shards, the instances that are alive
// and the previous owners: no store, no clock, no random seed. Any two processes that know the same facts
// come to the same assignment, so it does not matter which of them computes it.
//
// [Sticky] is the default: it moves the smallest possible number of shards, and spreads many small jobs evenly.
// [Average], [Odevity], [Rotate] and [Single] assign as ElasticJob's strategies do, for those who rely on that numbering; ElasticJob
// lists instances in descending order of ID, and so do these, whatever the order in which they are given. [Static] moves nothing that has a
// live owner, [Pin] says by name who owns what, and [Func] makes a function of one's own a strategy.
//
// An assignment says who should act. That two instances never run one shard at once does not rest on it.
package sharding
