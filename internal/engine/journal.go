package engine

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/store"
)

// Journal receives what history records. The loop calls it, so its methods must
// not block. Rows have no namespace.
type Journal interface {
	// EndRun is called once for each attempt that has ended, after the store
	// has acknowledged it: by the instance that ran it, or for a lost attempt by
	// the instance that took it over or abandoned it. live is nil for a lost
	// attempt.
	EndRun(run history.Run, live *Live)

	// MissFires is called once for fires that are not run.
	MissFires(history.Missed)

	// LoseRun is called for an attempt of which it is not known whether its
	// end was recorded in the store: the answer was lost, and other instances
	// have written the record since. Another instance may record the attempt.
	LoseRun(history.Run)
}

// ending is a write of a record that ends an attempt. Until it is known whether
// the write was applied, the shard keeps it.
type ending struct {
	run  history.Run
	live *Live           // of an attempt that ran here
	next failover.Record // that is written
	over store.Version   // of the record that it replaces
}

// row returns what history says of the attempt in a record that is running.
func (s *shard) row(rec failover.Record) history.Run {
	row := history.Run{
		RunKey:   history.RunKey{Job: s.job.name, Shard: s.item, Fence: int64(rec.Fence)},
		Fire:     rec.Time(),
		Attempt:  rec.Attempt,
		Instance: rec.Owner,
		Started:  rec.Started,
		Trace:    history.TraceID(rec.Trace.ID),
	}
	if rec.IsManual() {
		row.Trigger = rec.Trigger
	}
	if s.unclaimed {
		row.Fence = -rec.Started.UnixMicro()
	}
	return row
}

// endRun returns the ending of the run that this instance has; nil without a
// journal.
func (e *Engine) endRun(s *shard, result failover.Result, at time.Time) *ending {
	if e.cfg.Journal == nil {
		return nil
	}
	r, row := s.run, s.row(s.record)
	row.Shards = r.total
	row.Revision = r.rev
	row.Instance = r.owner
	if due := s.due(); !due.IsZero() && !r.began.IsZero() {
		row.Late = max(r.began.Sub(due), 0)
	}
	if !s.unclaimed {
		row.FirstFence = int64(r.first)
	}
	row.Ended = at
	row.Took = r.took
	row.Retries = r.retries
	row.Result = result
	row.Code = r.code
	row.Error = r.message
	if row.Error == "" && r.err != nil {
		row.Error = r.err.Error() // its text is made already
	}
	return &ending{run: row, live: &r.live}
}

// revisionOf returns the revision of a stored job; 0 if it is not known.
func revisionOf(j *job) uint64 {
	if j.doc == nil {
		return 0
	}
	return j.doc.Rev
}

// endLost returns the ending of an attempt whose instance is gone; nil without a
// journal, and after a hand-over, which has a row already.
func (e *Engine) endLost(s *shard, code failover.Code, at time.Time) *ending {
	if e.cfg.Journal == nil || s.record.Owner == "" {
		return nil
	}
	row := s.row(s.record)
	row.Ended = at
	row.Result = failover.ResultLost
	row.Code = string(code)
	return &ending{run: row}
}

// ended gives the row of an attempt to the journal: the store has acknowledged
// its end.
func (e *Engine) ended(s *shard) {
	if x := s.ending; x != nil {
		s.ending = nil
		e.cfg.Journal.EndRun(x.run, x.live)
	}
}

// mayBeApplied reports whether a write of a key that failed may have been
// applied all the same: its answer was lost, the session ended with it under
// way, or the record has changed, perhaps by the write itself.
func mayBeApplied(err error, key string) bool {
	if errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrSessionLost) {
		return true
	}
	changed := conflictKey(err)
	return errors.Is(err, store.ErrConflict) && (changed == "" || changed == key)
}

// settleEnding finds out from the record that the store has whether a write was
// applied whose answer was lost.
func (e *Engine) settleEnding(s *shard) {
	x := s.ending
	switch {
	case x == nil:
	case isSameStep(s.record, x.next):
		e.ended(s)
	case s.version == x.over, isAnotherEnd(s.record, x): // not applied
		s.ending = nil
	default:
		e.loseEnding(s)
	}
}

// loseEnding tells the journal that it can't be known whether an attempt has
// ended here.
func (e *Engine) loseEnding(s *shard) {
	if x := s.ending; x != nil {
		s.ending = nil
		e.cfg.Journal.LoseRun(x.run)
	}
}

// loseEndings does that for all shards, when the loop has ended.
func (e *Engine) loseEndings() {
	for _, j := range e.jobs {
		for _, s := range j.shards {
			e.loseEnding(s)
		}
	}
}

// isAnotherEnd reports whether the record shows that another instance has ended
// the attempt: it took the run over, or abandoned it.
func isAnotherEnd(r failover.Record, x *ending) bool {
	sameRun := r.Time().Equal(x.run.Fire) && r.Trigger == x.next.Trigger
	return sameRun && (r.Attempt > x.next.Attempt || r.Fence == x.next.Fence)
}

// isSameStep reports whether two records of a shard are the same step of its
// life.
func isSameStep(a, b failover.Record) bool {
	return a.Fence == b.Fence && a.State == b.State && a.Owner == b.Owner && a.Attempt == b.Attempt &&
		a.HandOvers == b.HandOvers && a.Result == b.Result && a.Ended.Equal(b.Ended)
}
