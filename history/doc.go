// Package history records which runs there were: one row for each attempt, with
// its result, its times and its error. It also records missed fires, events of
// instances and logs of failed runs.
//
// A [Recorder] takes rows from a scheduler and gives them to a [Sink] in
// batches:
//
//	rec := history.New(history.NewRing(10_000), history.Options{})
//	s, err := elastic.Open(ctx, url, elastic.WithHistory(rec))
//	…
//	err = s.Run(ctx)
//	rec.Close(ctx)
//
// Recording never delays, blocks or loses a run. If the sink does not keep up,
// the recorder buffers rows in memory, then in a spool on disk, and then drops
// them. It counts what it drops, and records it as a [Gap], so that a page of
// history says where rows are missing.
//
// A row of a run is written after the store has acknowledged the end of the
// run. Runs in progress are in the store, not in history.
package history
