// Package dataflow has handlers that fetch items and process them, until none
// is left.
//
//	s.Add(job, dataflow.Dataflow[Order]{
//		Fetch:   unpaidOrders, // WHERE id % run.Shards = run.Shard
//		Process: remind,
//	})
//
// [Dataflow] is for items that are no longer found once they are processed:
// rows with a state, files in a directory. [Resuming] is for data that stays,
// such as a log or a table that only grows. It keeps an offset for each of a
// fixed number of partitions.
//
// A run fetches until a fetch returns nothing, so one fire processes all that
// has piled up. The run checks its context before each fetch and each batch.
// When the instance is lost, the shard's next owner fetches what is left. It
// fetches an interrupted batch again, so Process must be safe to repeat.
//
// When its shard moves, because instances come and go or the number of shards
// has changed, a run stops between two batches and is handed over
// ([elastic.HandOver]). With Failover the next owner continues at once,
// Resuming at the offsets that were saved last. Without Failover the run counts
// as failed, and the next fire continues. If an instance leaves and the job has
// no Failover, the run uses the drain timeout.
package dataflow
