package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
)

const (
	// batchRows bounds a batch, and batchDelay is how long a row waits for
	// others to share its batch.
	batchRows  = 500
	batchDelay = time.Second

	// writeLimit is the deadline of one call of the sink.
	writeLimit = 5 * time.Second

	// The pause after a failed call: it doubles with each failure in a row, and
	// half of it is random.
	shortestPause = 200 * time.Millisecond
	longestPause  = 30 * time.Second

	// syncEvery is how often the spool is synced while rows come.
	syncEvery = time.Second

	// maxPanics is after how many panics in a row a batch counts as refused, so
	// that a row over which the sink panics does not hold up all others.
	maxPanics = 3
)

// writer moves rows from the buffer to the sink, by way of the spool while the
// sink fails. Its goroutine owns all of its fields.
type writer struct {
	r     *Recorder
	spool *spool // nil: there is none

	// batch is the rows to be written next. pieces are rows of the same batch,
	// the next ones last, while the rows that are refused are searched for.
	batch  []Row
	pieces [][]Row
	origin origin
	taken  int // rows of the spool that the batch stands for, with damaged ones

	pause  time.Duration // before the next attempt; 0: the last one succeeded
	panics int           // of the sink in a row
	hasty  bool          // the last attempts before the end have begun

	isDropping bool   // a report has told that rows are dropped
	told       uint64 // rows that were dropped when that was told

	spoolBroken bool      // the spool failed, and a report has told it
	spoolRetry  time.Time // no row is put into the spool before
	synced      time.Time // when the spool was synced last
	waiting     counts    // rows of this process in the spool
	silent      bool      // the logger or a watcher blocks, and is not called again
}

// origin is where the rows of a batch came from.
type origin uint8

const (
	fromBuffer origin = iota
	fromSpool
)

// outcome is the result of a call of the sink, as far as it is safe to use.
type outcome struct {
	err          error // its text is made already
	refused      bool
	incompatible bool
	panicked     bool
}

func newWriter(r *Recorder) *writer { return &writer{r: r} }

// run writes until the recorder is closed.
func (w *writer) run() {
	defer close(w.r.done)
	w.open()
	for w.next() {
		w.write()
	}
	w.end()
}

// open opens the spool, if there is to be one.
func (w *writer) open() {
	o := w.r.options
	if o.Spool == "" {
		return
	}
	s, err := openSpool(o.Spool, o.SpoolBytes)
	if err != nil {
		w.report(Report{Code: "spool_failing", Detail: err.Error() + "; rows are kept in memory only"})
		return
	}
	w.spool = s
	w.noteSpool()
}

// next waits for rows and makes them the batch. It returns false when the
// recorder is closed, and has no more rows or no more time.
func (w *writer) next() bool {
	for {
		left := w.timeLeft()
		switch {
		case left <= 0:
			return false
		case w.takePiece(), w.takeSpooled(), w.takeBuffered():
			return true
		case left < forever:
			return false
		}
		w.await()
	}
}

// await waits until there may be a batch to write.
func (w *writer) await() {
	var due <-chan time.Time
	w.r.mu.Lock()
	if w.r.buffer.live > 0 {
		timer := time.NewTimer(max(batchDelay-time.Since(w.r.since), 0))
		defer timer.Stop()
		due = timer.C
	}
	w.r.mu.Unlock()
	select {
	case <-w.r.wake:
	case <-due:
	case <-w.r.closing:
	}
}

const forever = 1 << 62

// timeLeft returns how long the sink may be used: forever unless the recorder
// is closed.
func (w *writer) timeLeft() time.Duration {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if !w.r.closed {
		return forever
	}
	return time.Until(w.r.deadline)
}

// takePiece makes the next piece of the last batch the batch.
func (w *writer) takePiece() bool {
	last := len(w.pieces) - 1
	if last < 0 {
		return false
	}
	w.batch, w.pieces = w.pieces[last], w.pieces[:last]
	return true
}

// takeSpooled makes the oldest rows of the spool the batch.
func (w *writer) takeSpooled() bool {
	for w.spool != nil {
		took, err := w.spool.take(batchRows)
		if err != nil {
			w.spoolFailed(err)
			return false
		}
		if took.total() == 0 {
			return false
		}
		w.origin, w.taken = fromSpool, took.total()
		w.batch = took.rows
		w.noteTaken(took)
		if len(took.rows) > 0 {
			return true
		}
		w.finishSpooled()
	}
	return false
}

// takeBuffered makes the oldest rows of the buffer the batch, if they are
// enough or have waited long enough. Gaps come first.
func (w *writer) takeBuffered() bool {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.buffer.live
	if n == 0 && len(r.losses) == 0 {
		return false
	}
	isDue := r.closed || n == 0 || n >= batchRows || time.Since(r.since) >= batchDelay
	if !isDue {
		return false
	}
	rows := r.takeGaps()
	rows = append(rows, r.buffer.take(max(batchRows-len(rows), 1))...)
	r.fly(rows)
	r.oldest = r.since
	r.since = time.Now()
	w.batch, w.origin = rows, fromBuffer
	return true
}

// write gives the batch to the sink, and goes on as it answers.
func (w *writer) write() {
	for _, row := range w.batch {
		row.clean()
	}
	o := w.call(batchOf(w.batch))
	if o.panicked {
		w.panics++
		o.refused = w.panics >= maxPanics
	}
	switch {
	case o.err == nil:
		w.wrote()
	case o.refused && len(w.batch) == 1:
		w.dropRefused(o.err)
	case o.refused:
		w.panics = 0
		half := len(w.batch) / 2
		w.pieces = append(w.pieces, w.batch[half:], w.batch[:half])
		w.batch = nil
	case o.incompatible:
		w.failed(StateOff, o.err)
	default:
		w.failed(StateFailing, o.err)
	}
}

// call calls the sink. While the call lasts, rows can go from the buffer to the
// spool. A call that does not return soon after its deadline counts as failed,
// and no other is made before it has returned.
func (w *writer) call(b Batch) outcome {
	limit := min(writeLimit, w.timeLeft())
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answers := make(chan outcome, 1)
	go func() {
		o := outcome{err: guard.ErrExited}
		defer func() { answers <- o }() // deferred, because Goexit runs nothing else
		o = judge(w.r.sink, ctx, b)
	}()
	late := time.NewTimer(limit + limit/10) // a moment to return after ctx has ended
	defer late.Stop()
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	closing := w.r.closing
	hangs := false
	for {
		select {
		case o := <-answers:
			return o
		case <-late.C:
			hangs = true
			w.failing(StateFailing, fmt.Errorf("the sink did not return within %s", limit))
			w.relieve(true)
		case <-tick.C:
			w.relieve(hangs)
		case <-w.r.wake:
			w.relieve(false)
		case <-closing:
			closing = nil
			end := time.AfterFunc(w.timeLeft(), w.r.poke)
			defer end.Stop()
		}
		if w.timeLeft() <= 0 {
			return outcome{err: errors.New("the sink has not returned")}
		}
	}
}

// judge calls the sink and finds out what its error means. The methods of the
// error can panic or block, too.
func judge(s Sink, ctx context.Context, b Batch) outcome {
	var err error
	if fault := guard.Catch(func() { err = s.Write(ctx, b) }); fault != nil {
		return outcome{err: fmt.Errorf("the sink %w", fault), panicked: true}
	}
	if err == nil {
		return outcome{}
	}
	text, _ := guard.Show(err)
	o, fault := guard.Call(guard.Patience, func() outcome {
		return outcome{refused: Refused(err), incompatible: errors.Is(err, ErrIncompatible)}
	})
	if fault != nil {
		o = outcome{}
	}
	o.err = errors.New(text)
	return o
}

// wrote counts the batch as written.
func (w *writer) wrote() {
	w.panics, w.pause = 0, 0
	r := w.r
	r.mu.Lock()
	for _, row := range w.batch {
		r.written[row.class()]++
	}
	was := r.state
	r.state = StateWriting
	dropped := r.dropped.total() - w.told
	w.told += dropped
	w.isDropping = false
	r.mu.Unlock()
	w.finishBatch()
	if was == StateWriting && dropped == 0 {
		return
	}
	report := Report{Code: "history_recovered", Detail: "the sink takes rows again", Rows: int(dropped)}
	if dropped > 0 {
		report.Detail += fmt.Sprintf("; %d rows were dropped", dropped)
	}
	w.report(report)
}

// finishBatch forgets the batch, which was written or dropped.
func (w *writer) finishBatch() {
	w.batch = nil
	if len(w.pieces) == 0 && w.origin == fromSpool {
		w.finishSpooled()
	}
	w.noteInflight()
}

// fly notes which rows are between the buffer and the sink. The writer calls
// it, with r.mu held.
func (r *Recorder) fly(rows []Row) {
	r.inflight = rows
	r.flightLen = 0
	for _, row := range rows {
		r.flightLen += row.size()
	}
}

// noteInflight publishes which rows are between the buffer and the sink.
func (w *writer) noteInflight() {
	rows := w.rest()
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.fly(rows)
	if len(rows) == 0 && w.waiting.total() == 0 {
		w.r.oldest = time.Time{}
	}
}

// rest returns the rows of the batch that were neither written nor dropped, in
// order.
func (w *writer) rest() []Row {
	rows := w.batch
	for i := len(w.pieces) - 1; i >= 0; i-- {
		rows = append(rows[:len(rows):len(rows)], w.pieces[i]...)
	}
	return rows
}

// finishSpooled removes the rows of the batch from the spool.
func (w *writer) finishSpooled() {
	if err := w.spool.complete(w.taken); err != nil {
		w.spoolFailed(err)
	}
	w.taken, w.origin = 0, fromBuffer
	w.noteSpool()
}

// dropRefused drops the only row of the batch, which the sink will never take.
func (w *writer) dropRefused(err error) {
	row := w.batch[0]
	r := w.r
	r.mu.Lock()
	r.errors++
	r.lose("refused", row)
	w.told++ // by the report below
	r.mu.Unlock()
	w.report(Report{
		Code:   "history_refused",
		Detail: fmt.Sprintf("the sink refuses %s, which is dropped: %v", describe(row), err),
		Rows:   1,
	})
	w.panics = 0
	w.finishBatch()
}

// describe names a row for people.
func describe(row Row) string {
	if run, ok := row.(*Run); ok {
		return "the run " + run.RunKey.String()
	}
	return "a row of the type " + classNames[row.class()]
}

// failing notes that the sink fails, and reports the first failure in a row.
func (w *writer) failing(state State, err error) {
	r := w.r
	r.mu.Lock()
	r.errors++
	was := r.state
	r.state = state
	r.mu.Unlock()
	if was == state {
		return
	}
	report := Report{Code: "history_failing", Detail: err.Error() + "; runs go on, and rows wait"}
	if state == StateOff {
		report = Report{Code: "history_off", Detail: err.Error() + "; runs go on without history until that is mended"}
	}
	w.report(report)
}

// failed waits for the next attempt.
func (w *writer) failed(state State, err error) {
	w.failing(state, err)
	w.pieces = append(w.pieces, w.batch)
	w.batch = nil
	w.spoolBatch()
	w.pause = min(max(2*w.pause, shortestPause), longestPause)
	if state == StateOff {
		w.pause = longestPause
	}
	end := time.Now().Add(w.pause/2 + rand.N(w.pause/2))
	closing := w.r.closing
	if w.hasty {
		closing = nil
	}
	w.relieve(true)
	for {
		left := min(time.Until(end), w.timeLeft())
		if left <= 0 {
			return
		}
		timer := time.NewTimer(min(left, syncEvery))
		select {
		case <-timer.C:
			w.relieve(true)
		case <-w.r.wake:
			w.relieve(false)
		case <-closing:
			w.hasty = true
			w.pause = 0
			end = time.Now()
		}
		timer.Stop()
	}
}

// spoolBatch moves the batch to the spool, where a crash does not lose it. It
// does nothing if the spool has rows, which are newer.
func (w *writer) spoolBatch() {
	if w.spool == nil || w.origin == fromSpool || w.spool.rows() > 0 || time.Now().Before(w.spoolRetry) {
		return
	}
	rows := w.rest()
	n := w.store(rows)
	w.pieces = nil
	if n < len(rows) {
		w.pieces = [][]Row{rows[n:]}
	}
	w.noteInflight()
}

// relieve moves rows from the buffer to the spool, all of them if the sink
// fails and otherwise if the buffer fills up. It reports rows that were
// dropped.
func (w *writer) relieve(failing bool) {
	w.tellDropped()
	if w.spool == nil || time.Now().Before(w.spoolRetry) {
		return
	}
	for {
		rows := w.takeForSpool(failing)
		if len(rows) == 0 {
			break
		}
		n := w.store(rows)
		if n == len(rows) {
			continue
		}
		w.r.mu.Lock()
		w.r.buffer.putBack(rows[n:])
		w.r.mu.Unlock()
		break
	}
	if time.Since(w.synced) >= syncEvery {
		w.synced = time.Now()
		if err := w.spool.sync(); err != nil {
			w.spoolFailed(err)
		}
	}
	w.noteSpool()
}

// takeForSpool takes rows from the buffer for the spool.
func (w *writer) takeForSpool(failing bool) []Row {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buffer.live == 0 || !failing && !r.isFilling() {
		return nil
	}
	if r.oldest.IsZero() {
		r.oldest = r.since
	}
	return r.buffer.take(batchRows)
}

// store puts rows into the spool, and returns how many it took.
func (w *writer) store(rows []Row) int {
	for _, row := range rows {
		row.clean()
	}
	n, err := w.spool.append(rows)
	for _, row := range rows[:n] {
		w.waiting[row.class()]++
	}
	if err != nil {
		w.spoolFailed(err)
		return n
	}
	w.spoolBroken = false
	return n
}

// spoolFailed reports a failure of the spool, and leaves the spool alone for a
// while.
func (w *writer) spoolFailed(err error) {
	w.spoolRetry = time.Now().Add(5 * time.Second)
	tell := !w.spoolBroken
	w.spoolBroken = true
	if tell {
		w.report(Report{Code: "spool_failing", Detail: err.Error()})
	}
}

// tellDropped reports once that rows are dropped, until the sink takes rows
// again.
func (w *writer) tellDropped() {
	r := w.r
	r.mu.Lock()
	dropped := r.dropped.total() - w.told
	tell := dropped > 0 && !w.isDropping
	if tell {
		w.isDropping = true
		w.told += dropped
	}
	r.mu.Unlock()
	if tell {
		w.report(Report{
			Code:   "history_dropping",
			Detail: "there is no more room for rows; the oldest successes are dropped first",
			Rows:   int(dropped),
		})
	}
}

// noteTaken counts what was taken from the spool.
func (w *writer) noteTaken(took taken) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fly(took.rows)
	if r.oldest.IsZero() {
		r.oldest = time.Now()
	}
	for _, row := range took.rows {
		if took.foreign {
			r.restored[row.class()]++
		} else {
			w.waiting[row.class()]--
		}
	}
	if took.damaged == 0 {
		return
	}
	// Which rows they were is not known.
	if took.foreign {
		r.restored[classOther] += uint64(took.damaged)
	}
	r.dropped[classOther] += uint64(took.damaged)
	now := time.Now()
	l := r.lossOf(r.options.Namespace)
	l.cover("", now, now)
	l.of("spool damaged")[classOther] += uint64(took.damaged)
}

// noteSpool publishes the size of the spool.
func (w *writer) noteSpool() {
	if w.spool == nil {
		return
	}
	rows, size := w.spool.rows(), w.spool.bytes()
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.spoolRows, w.r.spoolSize = rows, size
}

// end puts what is left into the spool, or drops it.
func (w *writer) end() {
	r := w.r
	rest := w.rest()
	w.batch, w.pieces = nil, nil
	var left counts
	if w.origin == fromSpool { // they are still there
		for _, row := range rest {
			left[row.class()]++
		}
		rest = nil
	}
	r.mu.Lock()
	rest = append(rest[:len(rest):len(rest)], r.buffer.take(r.buffer.live)...)
	r.fly(nil)
	r.mu.Unlock()
	n := 0
	if w.spool != nil {
		n = w.store(rest)
	}
	r.mu.Lock()
	r.lose("not written before the end", rest[n:]...)
	gaps := r.takeGaps()
	r.mu.Unlock()
	n = 0
	if w.spool != nil {
		w.spool.max += spareBytes
		n = w.store(gaps)
		left.add(w.waiting)
		w.noteSpool()
		if err := w.spool.close(); err != nil {
			w.spoolFailed(err)
		}
	}
	r.mu.Lock()
	r.lose("not written before the end", gaps[n:]...)
	r.spooled = left
	dropped := r.dropped.total() - w.told
	r.mu.Unlock()
	if dropped > 0 {
		w.report(Report{
			Code:   "history_dropping",
			Detail: "the recorder was closed before the sink took all rows",
			Rows:   int(dropped),
		})
	}
}

// spareBytes is room in a full spool for the gaps that tell of it.
const spareBytes = 64 << 10

// callLimit bounds the calls of loggers and watchers.
const callLimit = time.Second

// report logs a report and gives it to the watchers.
func (w *writer) report(p Report) {
	p.Detail = text(p.Detail, maxDetail)
	r := w.r
	r.mu.Lock()
	watchers := r.watchers
	r.mu.Unlock()
	if w.silent {
		return
	}
	_, fault := guard.Call(callLimit, func() error {
		for _, watcher := range watchers {
			_ = guard.Catch(func() { watcher.f(p) })
		}
		if l := r.options.Logger; l != nil {
			_ = guard.Catch(func() { l.Warn("history: "+p.Detail, "code", p.Code, "rows", p.Rows) })
		}
		return nil
	})
	var blocked *guard.Blocked
	w.silent = errors.As(fault, &blocked)
}
