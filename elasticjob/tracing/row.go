package tracing

import (
	"hash/fnv"
	"math"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/guard"
)

// ResultUnknown is the result of a run whose end ElasticJob has not recorded:
// its instance died, or its database did not answer.
const ResultUnknown failover.Result = "unknown"

// The codes of runs, as the column execution_source has them.
const codePrefix = "ej:"

// EventKind is the kind of the events that rows of JOB_STATUS_TRACE_LOG become.
const EventKind = "ElasticJob"

const (
	maxText   = 256
	maxDetail = 4 << 10
)

// execution is a row of JOB_EXECUTION_LOG. Started and Ended are moments; Ended
// is zero if the column is NULL.
type execution struct {
	id, job, task, ip, source, cause string
	item                             int64
	succeeded                        bool
	started, ended                   time.Time
}

// status is a row of JOB_STATUS_TRACE_LOG.
type status struct {
	id, job, task, ip, items, state, message string
	created                                  time.Time
}

// run returns the row of history. step is the precision of started.
func (e *execution) run(namespace, job string, step time.Duration) history.Run {
	r := history.Run{
		RunKey: history.RunKey{
			Namespace: namespace,
			Job:       job,
			Shard:     int(e.item),
			Fence:     fence(e.started, e.id, step),
		},
		Fire:     e.started,
		Attempt:  1,
		Instance: instanceOf(e.task, e.ip),
		Started:  e.started,
		Ended:    e.ended,
		Code:     text(codePrefix+e.source, maxText),
		Error:    text(e.cause, history.MaxError),
	}
	switch {
	case e.ended.IsZero():
		r.Result, r.Ended = ResultUnknown, e.started
	case e.succeeded:
		r.Result = failover.ResultSucceeded
	default:
		r.Result = failover.ResultFailed
	}
	r.Took = max(0, r.Ended.Sub(r.Started))
	return r
}

// fence returns the fence of a run that had none: −(started in microseconds),
// as of a job without claims. ElasticJob can run a shard twice at a time, and
// old tables know the second only. So the digits that the column does not have
// are taken from the row's ID: two rows are two runs, and the same row is the
// same run whenever it is read.
func fence(started time.Time, id string, step time.Duration) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	free := max(1, step.Microseconds())
	return -(started.UnixMicro() + int64(h.Sum64()%uint64(free)))
}

// event returns the row of history.
func (s *status) event(namespace, job string) history.Event {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.id))
	return history.Event{
		Namespace: namespace,
		At:        s.created,
		Instance:  instanceOf(s.task, s.ip),
		Seq:       h.Sum64() & math.MaxInt64, // databases have no unsigned numbers
		Kind:      EventKind,
		Job:       job,
		Shard:     -1,
		Code:      text(codePrefix+s.state, maxText),
		Subject:   text(s.items, maxText),
		Detail:    text(s.message, maxDetail),
	}
}

// instanceOf returns the ID at the end of a task's:
// job@-@0,1@-@READY@-@ip@-@pid.
func instanceOf(task, ip string) string {
	const separator, parts = "@-@", 5
	list := strings.Split(task, separator)
	if len(list) < parts {
		return text(ip, maxText)
	}
	return text(strings.Join(list[len(list)-2:], separator), maxText)
}

// text returns s in a form that every sink stores: valid UTF-8 without NUL, of
// at most n bytes.
func text(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	return guard.Cut(s, n)
}
