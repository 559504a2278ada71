package history

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/guard"
)

// Options configures a [Recorder]. The zero value is usable.
type Options struct {
	// Namespace is the namespace of the rows. The default is that of the URL
	// given to elastic.Open; for a scheduler that elastic.New made it is
	// "elastic".
	Namespace string

	// Spool is a directory for rows that the sink does not take and for which
	// memory has no room. They survive the end of the process, and are written
	// by the next recorder that has the directory. The directory is made if it
	// does not exist. One process can use it at a time: a second recorder runs
	// without a spool and reports it. Empty means no spool.
	Spool string

	// SpoolBytes bounds the spool. The default is 256 MiB.
	SpoolBytes int64

	// Logs chooses the runs whose logs are stored. The default is
	// [OfFailures].
	Logs Logs

	// Unclaimed chooses which runs of jobs without claims are recorded. The
	// default is [UnclaimedFailures].
	Unclaimed Unclaimed

	// Logger receives what the recorder reports about itself: one line when
	// the sink fails, recovers, or rows are dropped. nil means that nothing is
	// logged. A scheduler's events report the same.
	Logger *slog.Logger
}

// Logs chooses the runs whose logs are stored.
type Logs uint8

// The choices of [Logs].
const (
	// OfFailures stores the logs of runs that failed.
	OfFailures Logs = iota

	// OfAll stores the logs of all runs that wrote any.
	OfAll

	// OfNone stores no logs.
	OfNone
)

// Unclaimed chooses which runs of jobs without claims are recorded.
type Unclaimed uint8

// The choices of [Unclaimed].
const (
	// UnclaimedFailures records runs that failed. Others are only counted.
	UnclaimedFailures Unclaimed = iota

	// UnclaimedAll records all runs. Such a job can have thousands of runs a
	// second: then rows are dropped, and the sink grows quickly. Jobs that need
	// a complete history should have claims.
	UnclaimedAll
)

// Recorder takes rows and writes them to a sink. Its methods are safe for
// concurrent use.
//
// Adding a row takes about a microsecond and never waits for the sink. The
// recorder holds at most 10,000 rows and 8 MiB in memory, and up to 500 rows
// that are being written. It writes batches of up to 500 rows, at the latest a
// second after the first row came.
type Recorder struct {
	sink    Sink
	options Options
	wake    chan struct{} // a batch is full, or the buffer fills up
	closing chan struct{}
	done    chan struct{} // the writer has ended

	mu        sync.Mutex
	started   bool
	closed    bool
	deadline  time.Time // until which the writer may flush; set with closed
	buffer    buffer
	since     time.Time // when the oldest row in the buffer came
	seq       uint64
	losses    map[string]*loss // by namespace
	state     State
	watchers  []*watcher
	added     counts
	restored  counts
	written   counts
	dropped   counts
	spooled   counts // left in the spool by Close
	skipped   counts // runs that were not to be recorded
	errors    uint64
	spoolRows int
	spoolSize int64
	inflight  []Row     // the writer changes these rows: only it looks into them
	flightLen int       // bytes of inflight
	oldest    time.Time // when the oldest row outside the buffer came
}

// loss describes the rows that were dropped since a gap was recorded.
type loss struct {
	instance string
	from, to time.Time
	why      map[string]*counts
}

// New returns a recorder that writes to the sink. It starts nothing: the first
// row, or a scheduler's Run, does. If the sink is nil, the rows go to a ring of
// 10,000 rows in memory.
func New(sink Sink, o Options) *Recorder {
	if guard.IsNil(sink) {
		sink = NewRing(0)
	}
	if o.SpoolBytes <= 0 {
		o.SpoolBytes = defaultSpoolBytes
	}
	return &Recorder{
		sink:    sink,
		options: o,
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		losses:  map[string]*loss{},
	}
}

// Sink returns the sink that New was given.
func (r *Recorder) Sink() Sink { return r.sink }

// Options returns the options that New was given, with defaults.
func (r *Recorder) Options() Options { return r.options }

// Start opens the spool and begins to write what an earlier process left there.
// A second call does nothing. A scheduler calls it.
func (r *Recorder) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start()
}

// start starts the writer. r.mu is held.
func (r *Recorder) start() {
	if r.started || r.closed {
		return
	}
	r.started = true
	go newWriter(r).run()
}

// AddRun records an attempt that has ended.
func (r *Recorder) AddRun(run Run) {
	run.trim()
	r.add(&run)
}

// AddMissed records fires that are not run.
func (r *Recorder) AddMissed(m Missed) { r.add(m.clean()) }

// AddEvent records an event of an instance, and sets its Seq.
func (r *Recorder) AddEvent(e Event) { r.add(e.clean()) }

// AddAudit records a change that an operator made.
func (r *Recorder) AddAudit(a Audit) { r.add(a.clean()) }

// AddLog records the log of an attempt. l.Gzip must not be changed afterwards.
func (r *Recorder) AddLog(l Log) { r.add(l.clean()) }

// AddGap records that rows are missing which the recorder never got.
func (r *Recorder) AddGap(g Gap) { r.add(g.clean()) }

// add puts a row into the buffer.
func (r *Recorder) add(row Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.added[row.class()]++
	if e, ok := row.(*Event); ok {
		r.seq++
		e.Seq = r.seq
	}
	if r.closed {
		r.lose("recorder closed", row)
		return
	}
	r.start()
	if r.buffer.live == 0 {
		r.since = time.Now()
	}
	if dropped := r.buffer.push(row); len(dropped) > 0 {
		r.lose("buffer full", dropped...)
	}
	n := r.buffer.live
	if n == 1 || n == batchRows || r.isFilling() {
		r.poke()
	}
}

// isFilling reports whether the buffer is half full. r.mu is held.
func (r *Recorder) isFilling() bool {
	return r.buffer.live >= bufferRows/2 || r.buffer.bytes >= bufferBytes/2
}

func (r *Recorder) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// Skip counts a run with this result that is not to be recorded; see
// [Options.Unclaimed].
func (r *Recorder) Skip(result failover.Result) {
	run := Run{Result: result}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skipped[run.class()]++
}

// Lose counts a run as dropped that cannot be recorded. The next gap tells why.
func (r *Recorder) Lose(why string, run Run) {
	row := run.clean()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.added[row.class()]++
	r.lose(text(why, maxShort), row)
}

// lose counts rows as dropped, and notes them for the next gap. r.mu is held.
func (r *Recorder) lose(why string, rows ...Row) {
	for _, row := range rows {
		r.dropped[row.class()]++
		r.noteLoss(why, row)
	}
}

// maxNamespaces bounds for how many namespaces gaps are kept apart.
const maxNamespaces = 64

func (r *Recorder) noteLoss(why string, row Row) {
	if g, ok := row.(*Gap); ok {
		r.loseGap(g)
		return
	}
	namespace, instance, at := about(row)
	l := r.lossOf(namespace)
	l.cover(instance, at, at)
	l.of(why)[row.class()]++
}

// loseGap keeps what a gap that could not be written tells.
func (r *Recorder) loseGap(g *Gap) {
	l := r.lossOf(g.Namespace)
	l.cover(g.Instance, g.From, g.To)
	l.of("earlier gap")[classOther] += uint64(max(g.Count, 0))
}

// of returns the counts of a reason.
func (l *loss) of(why string) *counts {
	if l.why[why] == nil {
		l.why[why] = &counts{}
	}
	return l.why[why]
}

func (r *Recorder) lossOf(namespace string) *loss {
	l := r.losses[namespace]
	if l == nil && len(r.losses) >= maxNamespaces {
		namespace = ""
		l = r.losses[namespace]
	}
	if l == nil {
		l = &loss{why: map[string]*counts{}}
		r.losses[namespace] = l
	}
	return l
}

func (l *loss) cover(instance string, from, to time.Time) {
	if instance != "" {
		l.instance = instance
	}
	if l.from.IsZero() || from.Before(l.from) {
		l.from = from
	}
	if to.After(l.to) {
		l.to = to
	}
}

// about returns what a gap says of a row.
func about(row Row) (namespace, instance string, at time.Time) {
	switch row := row.(type) {
	case *Run:
		return row.Namespace, row.Instance, row.Ended
	case *Missed:
		return row.Namespace, row.Instance, row.Seen
	case *Event:
		return row.Namespace, row.Instance, row.At
	case *Audit:
		return row.Namespace, "", row.At
	case *Log:
		return row.Namespace, "", row.Ended
	case *output:
		return row.log.Namespace, "", row.log.Ended
	}
	return "", "", time.Time{}
}

// takeGaps returns a gap for each namespace with rows that were dropped, and
// forgets the losses. r.mu is held.
func (r *Recorder) takeGaps() []Row {
	var gaps []Row
	for _, namespace := range slices.Sorted(maps.Keys(r.losses)) {
		l := r.losses[namespace]
		var n uint64
		var parts []string
		for _, why := range slices.Sorted(maps.Keys(l.why)) {
			n += l.why[why].total()
			parts = append(parts, why+": "+l.why[why].String())
		}
		g := &Gap{
			Namespace: namespace,
			Instance:  l.instance,
			From:      l.from,
			To:        l.to,
			Count:     int(n),
			What:      strings.Join(parts, "; "),
		}
		gaps = append(gaps, g.clean())
		r.added[classGap]++
	}
	clear(r.losses)
	return gaps
}

// closeTime bounds how long Close lets the sink take rows.
const closeTime = 3 * time.Second

// Close writes the rows that wait, for at most three seconds or until ctx ends.
// What is left then goes to the spool, or is dropped. The error says how many
// rows were dropped since the recorder was made, if any were. Rows that are
// added later are dropped. Call Close after the scheduler's Run has returned.
func (r *Recorder) Close(ctx context.Context) error {
	deadline := time.Now().Add(closeTime)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	r.mu.Lock()
	if !r.closed {
		r.start() // the spool may have rows
		r.closed = true
		r.deadline = deadline
		close(r.closing)
	}
	r.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		r.mu.Lock()
		r.deadline = time.Now()
		r.mu.Unlock()
		r.poke()
		<-r.done // soon, as it waits for nothing but the disk
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.dropped.total(); n > 0 {
		return fmt.Errorf("close the history: %d rows were dropped (%s); look at the sink, or set Options.Spool",
			n, r.dropped)
	}
	return nil
}
