package observe

import (
	"cmp"
	"fmt"
	"time"
)

// sentence returns the event as a short sentence in the past tense, such as
// "instance a@1 took over shard 5 of report (attempt 2)". Its wording can
// change in any version.
func (e Event) sentence() string {
	me := instance(e.Instance)
	other := instance(e.Subject)
	what := e.what()
	switch e.Kind {
	case Joined:
		return me + " joined"
	case Left:
		return me + " left"
	case SessionLost:
		return me + " lost its session"
	case Appeared:
		return other + " appeared"
	case Vanished:
		return other + " disappeared"
	case Assigned:
		return me + " assigned the shards of " + what
	case Gained:
		return me + " got " + what
	case Dropped:
		return me + " gave up " + what
	case Began:
		return me + " began " + what
	case TookOver:
		return fmt.Sprintf("%s took over %s (attempt %d)", me, what, e.Attempt)
	case Reclaimed:
		return me + " reclaimed " + what
	case Retrying:
		return what + " failed and will be retried"
	case Ended:
		return what + " " + e.ending()
	case HandedOver:
		return me + " handed over " + what
	case Abandoned:
		return me + " abandoned " + what
	case Missed:
		return what + " missed " + e.fires()
	case Stuck:
		return "the handler of " + what + " did not return"
	case Panicked:
		return "the handler of " + what + " panicked"
	case Unreadable:
		return "key " + e.Subject + " could not be read"
	case Stray:
		return "key " + e.Subject + " was ignored"
	case FutureFire:
		return "the record of " + what + " had a fire in the future"
	case Scheduled:
		return what + " was scheduled"
	case Refused:
		return what + " was refused"
	case Changed:
		return e.change()
	case Removed:
		return what + " is not in the namespace, and nothing of it runs"
	case Leaving:
		return me + " waited for its runs to end"
	case Differs:
		return what + " differed from the job in the store"
	case ClockOff:
		return me + " saw that clocks differed"
	case ClockAgrees:
		return me + " saw that the clocks agreed again"
	case Evicted:
		return me + " evicted " + other
	case Waiting:
		return what + " had to wait"
	case WaitingOver:
		return what + " stopped waiting"
	case ObserverFailed:
		return "observer " + cmp.Or(e.Args["observer"], "?") + " failed"
	case Trouble:
		return e.trouble()
	case Recovered:
		return me + " recovered"
	case HistoryFailing:
		return e.history()
	case HistoryRecovered:
		return "history was written again"
	}
	return string(e.Kind)
}

func instance(id string) string {
	if id == "" {
		return "the instance"
	}
	return "instance " + id
}

// what returns the job, its shard or the instance that the event is about.
func (e Event) what() string {
	switch {
	case e.Job == "":
		return instance(e.Instance)
	case e.Shard < 0:
		return "job " + e.Job
	}
	return fmt.Sprintf("shard %d of %s", e.Shard, e.Job)
}

// ending returns how a run ended.
func (e Event) ending() string {
	took := e.Took.Round(time.Millisecond)
	switch e.Result {
	case "ok":
		return fmt.Sprintf("succeeded in %s", took)
	case "failed":
		return fmt.Sprintf("failed after %s", took)
	case "skipped":
		return "had nothing to do"
	}
	return fmt.Sprintf("was %s after %s", cmp.Or(e.Result, "ended"), took)
}

// fires returns the number of fires that were missed.
func (e Event) fires() string {
	if e.Count > 1 {
		return fmt.Sprintf("%d fires", e.Count)
	}
	return "a fire"
}

// change returns how a job was changed.
func (e Event) change() string {
	job := e.what()
	switch e.Code {
	case "job_disabled":
		return job + " was disabled"
	case "job_enabled":
		return job + " was enabled"
	case "job_removed":
		return job + " was removed"
	case "shards_disabled":
		return "shards of " + job + " were disabled"
	}
	return job + " was changed"
}

// trouble returns what failed.
func (e Event) trouble() string {
	switch e.Code {
	case "strategy_failed", "strategy_blocked":
		return "a sharding strategy failed"
	case "option_failed":
		return "a function given to an option failed"
	}
	return instance(e.Instance) + " had trouble with the store"
}

// history returns what is wrong with the history.
func (e Event) history() string {
	switch e.Code {
	case "history_dropping":
		return "history dropped rows"
	case "history_refused":
		return "history dropped a row that its sink refused"
	case "history_off":
		return "history was off"
	case "spool_failing":
		return "the spool of the history failed"
	}
	return "history could not be written"
}
