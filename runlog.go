package elastic

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
)

// Log returns a logger for the run whose handler got ctx. It writes to the
// loggers given to [WithLogger], with the attributes job, shard, fire, attempt
// and fence, and trace_id if the run has a trace. With [WithHistory] it also
// writes to the log of the run, of which the first 16 KiB and the last 48 KiB
// are kept in memory, and stored when the run has ended: by default if it has
// failed. While the run goes on, its log does not leave the instance.
//
// Call Log once in a run and keep the logger: each call makes a new one. For a
// context that is not that of a run, such as in a test of a handler, the logger
// discards all records.
func Log(ctx context.Context) *slog.Logger {
	r := engine.RunOf(ctx)
	s, _ := ctx.Value(schedulerKey{}).(*Scheduler)
	if r == nil || s == nil {
		return slog.New(slog.DiscardHandler)
	}
	attrs := []slog.Attr{
		slog.String("job", r.Job),
		slog.Int("shard", r.Shard),
		slog.String("fire", r.Fire.Format(time.RFC3339)),
		slog.Int("attempt", r.Attempt),
	}
	if fence := r.Live.Fence.Load(); fence != 0 {
		attrs = append(attrs, slog.Uint64("fence", fence))
	}
	if !r.Trace.IsZero() {
		attrs = append(attrs, slog.String("trace_id", fmt.Sprintf("%x", r.Trace.ID)))
	}
	var handlers []slog.Handler
	for _, l := range s.loggers {
		handlers = append(handlers, l.Handler().WithAttrs(attrs))
	}
	if s.history != nil {
		handlers = append(handlers, slog.NewTextHandler(outputOf(r), nil))
	}
	return slog.New(slog.NewMultiHandler(handlers...))
}

// Output returns a writer for the log of the run whose handler got ctx; see
// [Log]. Package jobs/script writes the output of scripts there. The writer
// never fails, and discards what it gets if there is no history or no run.
func Output(ctx context.Context) io.Writer {
	r := engine.RunOf(ctx)
	s, _ := ctx.Value(schedulerKey{}).(*Scheduler)
	if r == nil || s == nil || s.history == nil {
		return io.Discard
	}
	return outputOf(r)
}

// schedulerKey is the key of the scheduler in the contexts of handlers.
type schedulerKey struct{}

// outputOf returns the output of an attempt.
func outputOf(r *engine.Run) *output {
	if o, ok := r.Live.Output.Load().(*output); ok {
		return o
	}
	r.Live.Output.CompareAndSwap(nil, new(output))
	return r.Live.Output.Load().(*output)
}

const (
	outputHead = 16 << 10
	outputTail = 48 << 10
)

// output keeps the begin and the end of what a run writes. Handlers can write
// from several goroutines, also after they have returned.
type output struct {
	mu   sync.Mutex
	size int64 // of all that was written
	head []byte
	tail []byte // at most twice outputTail bytes; the last of them count
}

// Write keeps p, or the parts of it that there is room for.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	o.size += int64(n)
	fits := min(outputHead-len(o.head), len(p))
	o.head = append(o.head, p[:fits]...)
	p = p[fits:]
	if len(p) > outputTail {
		o.tail = o.tail[:0]
		p = p[len(p)-outputTail:]
	}
	if len(o.tail)+len(p) > 2*outputTail {
		kept := copy(o.tail, o.tail[len(o.tail)-outputTail:])
		o.tail = o.tail[:kept]
	}
	o.tail = append(o.tail, p...)
	return n, nil
}

// text returns what was kept, with a line in the place of what was not, and the
// size of all that was written.
func (o *output) text() ([]byte, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := o.tail[max(len(o.tail)-outputTail, 0):]
	text := append([]byte(nil), o.head...)
	if left := o.size - int64(len(o.head)+len(tail)); left > 0 {
		text = fmt.Appendf(text, "\n… %d bytes are left out …\n", left)
	}
	return append(text, tail...), o.size
}
