// Package dataflow holds handlers for jobs that fetch what is to be done and then do it, until nothing is left.
//
//	s.Add(job, dataflow.Dataflow[Order]{
//		Fetch:   unpaidOrders, // of this shard: where id % run.Shards = run.Shard
//		Process: remind,
//	})
//
// [Dataflow] is for work that is no longer found once it is done: rows with a state, files in a directory. [Resuming] is for what stays
// where it is, such as a log or a table that only grows, and keeps an offset for each of a fixed number of partitions.
//
// A run goes on fetching until a fetch finds nothing, so that what has piled up is done in one fire, however much it is. It checks its
// context before each fetch and each batch, and what was processed by then is done: when the instance is lost, the shard's next owner
// fetches what is left. A batch whose Process was cut off is fetched again, so Process must bear that.
//
// When its shard moves, because instances come and go or the number of shards has changed, a run stops between two batches and is handed over
// ([elastic.HandOver]): with Failover the next owner goes on at once, and Resuming from the offsets that were saved last. Without Failover the run
// counts as failed, and the next fire goes on. A run of an instance that leaves goes on as long as that allows if there is no Failover.
package dataflow
