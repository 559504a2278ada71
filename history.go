package elastic

import (
	"cmp"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// WithHistory records the attempts that end on this instance, the attempts of
// lost instances whose runs it takes over or abandons, the fires that its
// shards miss, and events of the instance. A row is given to rec after the
// store has acknowledged what it says.
//
// Run starts rec, and does not close it: several schedulers can share one
// recorder. Call rec.Close after Run has returned.
//
// Recording delays no run, whatever the sink of rec does. Events of the kind
// [observe.HistoryFailing] tell when rows cannot be written or are dropped.
func WithHistory(rec *history.Recorder) Option {
	return func(c *config) {
		if rec == nil {
			c.faults.Add("option WithHistory: the recorder is nil")
			return
		}
		if c.history != nil {
			c.faults.Add("option WithHistory: there are two recorders; give one recorder the sink history.Tee")
			return
		}
		c.history = rec
	}
}

// journal gives what the engine reports to a recorder.
type journal struct {
	rec       *history.Recorder
	namespace string
	unclaimed history.Unclaimed
	logs      history.Logs
}

func newJournal(rec *history.Recorder, namespace string) *journal {
	o := rec.Options()
	return &journal{
		rec:       rec,
		namespace: cmp.Or(o.Namespace, namespace, store.DefaultNamespace),
		unclaimed: o.Unclaimed,
		logs:      o.Logs,
	}
}

// EndRun records an attempt that has ended.
func (j *journal) EndRun(run history.Run, live *engine.Live) {
	withoutClaim := run.Fence < 0
	if withoutClaim && j.unclaimed != history.UnclaimedAll && run.Result != failover.ResultFailed {
		j.rec.Skip(run.Result)
		return
	}
	run.Namespace = j.namespace
	j.rec.AddRun(run)
	if live != nil && j.wantsLog(run.Result) {
		j.addLog(&run, live)
	}
}

// wantsLog reports whether the log of a run with this result is stored.
func (j *journal) wantsLog(result failover.Result) bool {
	switch j.logs {
	case history.OfAll:
		return true
	case history.OfNone:
		return false
	}
	return result == failover.ResultFailed
}

// addLog records the log of a run, if it wrote any.
func (j *journal) addLog(run *history.Run, live *engine.Live) {
	o, ok := live.Output.Load().(*output)
	if !ok {
		return
	}
	if text, size := o.text(); size > 0 {
		j.rec.AddOutput(run.RunKey, run.Ended, size, text)
	}
}

// MissFires records fires that are not run.
func (j *journal) MissFires(m history.Missed) {
	m.Namespace = j.namespace
	j.rec.AddMissed(m)
}

// LoseRun records that the end of an attempt is not known.
func (j *journal) LoseRun(run history.Run) {
	run.Namespace = j.namespace
	j.rec.Lose("its end is not known", run)
}

// recordedKinds are the kinds of events that history has. What happens to runs
// is in the rows of runs.
var recordedKinds = map[observe.Kind]bool{
	observe.Joined:      true,
	observe.Left:        true,
	observe.SessionLost: true,
	observe.Evicted:     true,
	observe.ClockOff:    true,
	observe.ClockAgrees: true,
	observe.Stuck:       true,
	observe.Panicked:    true,
	observe.Trouble:     true,
	observe.Recovered:   true,
}

// observe records an event. It is an observer, because it calls the Error
// method of errors of the program.
func (j *journal) observe(e observe.Event) {
	row := history.Event{
		Namespace: j.namespace,
		At:        e.Time,
		Instance:  e.Instance,
		Kind:      string(e.Kind),
		Job:       e.Job,
		Shard:     e.Shard,
		Code:      e.Code,
		Subject:   e.Subject,
		Detail:    e.Detail,
	}
	if e.Err != nil {
		text, _ := guard.Show(e.Err)
		if row.Detail != "" {
			row.Detail += ": "
		}
		row.Detail += text
	}
	j.rec.AddEvent(row)
}

// historyEvent returns the event for a report of a recorder.
func historyEvent(p history.Report) observe.Event {
	e := observe.Event{
		Kind:   observe.HistoryFailing,
		Shard:  -1,
		Code:   p.Code,
		Detail: p.Detail,
		Count:  p.Rows,
	}
	if p.Code == "history_recovered" {
		e.Kind = observe.HistoryRecovered
	}
	return e
}

// startHistory starts the recorder, and makes its reports events of this
// scheduler until stop is called.
func (s *Scheduler) startHistory() (stop func()) {
	if s.history == nil {
		return func() {}
	}
	stop = s.history.Watch(func(p history.Report) {
		e := historyEvent(p)
		e.Time = time.Now()
		s.events.add(e)
	})
	s.history.Start()
	return stop
}
