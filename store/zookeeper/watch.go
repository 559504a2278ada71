package zookeeper

import (
	"context"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/watchbuf"
)

// watch follows a prefix. See feed for how.
type watch struct {
	store  *client
	path   string // the directory of the prefix
	box    *watchbuf.Buffer
	ctx    context.Context
	cancel context.CancelFunc
	start  context.Context // bounds the first reading
	result chan error      // of that

	started bool // there was a result; only the feed uses it
}

// Watch reads the prefix and follows it.
func (s *client) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	w := &watch{store: s, path: s.keys.directory(prefix), box: watchbuf.New(), start: ctx, result: make(chan error, 1)}
	w.ctx, w.cancel = context.WithCancel(s.running.Context())
	if !s.feed.add(w) {
		w.cancel()
		return nil, store.ErrClosed
	}
	var err error
	select {
	case err = <-w.result:
	case <-ctx.Done():
		err = s.readError(late(ctx, errNoAnswer))
	case <-w.ctx.Done():
		err = store.ErrClosed
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Next waits for news.
func (w *watch) Next(ctx context.Context) (store.Update, error) { return w.box.Next(ctx) }

// Close ends the watch.
func (w *watch) Close() error {
	w.cancel()
	w.box.End(store.ErrClosed)
	w.store.feed.remove(w)
	return nil
}

// context bounds one reading of everything. After the first no caller waits for
// it, and the connection tells whether it goes on.
func (w *watch) context() (context.Context, context.CancelFunc) {
	if w.started {
		return w.ctx, func() {}
	}
	ctx, cancel := context.WithCancel(w.start)
	stop := context.AfterFunc(w.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// begun tells Watch what came of the first reading.
func (w *watch) begun(err error) {
	if !w.started {
		w.started = true
		w.result <- err
	}
}
