package etcd

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/atomicmax"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/watchbuf"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// The server is asked for a sign of life on the stream of all watches every
// probeEvery, in one request. If some watches hear nothing it is asked for its
// revision besides. Each has half of patience to be answered, so that a reader
// is told that its watch is stale at the latest probeEvery + patience after
// contact was lost. patience is part of the interval.
const (
	probeEvery = 4 * time.Second
	patience   = 2 * time.Second
)

// mostMisses is how many times in a row a watch may hear nothing while the
// store has moved on, before it is begun again. Once is not enough: a server
// gives no sign of life while it catches up for another watch of the stream.
const mostMisses = 2

// watch follows a prefix: it reads everything, then follows the changes from
// the revision it has read. When it cannot be sure that it has seen all of
// them, it reads everything again.
type watch struct {
	store  *client
	prefix string
	box    *watchbuf.Buffer
	ctx    context.Context
	cancel context.CancelFunc
	misses int          // for probe
	seen   atomic.Int64 // the revision up to which the server has told everything
	token  atomic.Int64 // the number of the token of the stream that the watch is on

	mu   sync.Mutex
	stop context.CancelCauseFunc // of what follow is at
}

// Watch reads the prefix and follows it.
func (s *client) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	w := &watch{store: s, prefix: prefix, box: watchbuf.New()}
	entries, revision, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	w.box.Reset(entries)
	w.ctx, w.cancel = context.WithCancel(s.running.Context())
	if !s.running.AddWatch(w, func() { w.run(revision) }) {
		w.cancel()
		return nil, store.ErrClosed
	}
	s.probing.Do(func() { s.running.Go(s.probe) })
	return w, nil
}

// Next waits for news.
func (w *watch) Next(ctx context.Context) (store.Update, error) { return w.box.Next(ctx) }

// Close ends the watch.
func (w *watch) Close() error {
	w.cancel()
	w.box.End(store.ErrClosed)
	w.store.running.RemoveWatch(w)
	return nil
}

// run follows the prefix from a revision on, until the watch is closed or not
// allowed.
func (w *watch) run(revision int64) {
	for {
		var err error
		revision, err = w.follow(revision)
		switch {
		case w.ctx.Err() != nil:
			return
		case errors.Is(err, errResume):
			continue
		case !errors.Is(err, rpctypes.ErrCompacted):
			w.box.LostContact()
		}
		if revision, err = w.again(err); err != nil {
			w.box.End(err)
			return
		}
	}
}

var (
	errResume = errors.New("to be resumed")
	errSilent = errors.New("no sign of life from the store")
	errEnded  = errors.New("the client library has given the watch up")
)

// follow passes on what changes after a revision. It returns the revision up to
// which it came, and why it cannot go on.
//
// The client library resumes the stream by itself when a connection breaks,
// from the event it had last; and it keeps what its reader does not take,
// without a bound, so everything is taken at once.
//
// The watch is asked for from the revision itself, and its events are skipped:
// as long as a watch of the stream waits for a revision that the store has not
// reached, the server gives no sign of life (progressIfSync in etcd's
// server/storage/mvcc/watchable_store.go), and a store in which nothing happens
// would look dead.
func (w *watch) follow(revision int64) (int64, error) {
	ctx, stop := context.WithCancelCause(w.ctx)
	defer stop(nil)
	w.mu.Lock()
	w.stop = stop
	w.mu.Unlock()
	w.seen.Store(revision)

	from, to := w.store.keys.below(w.prefix)
	// Without a leader, a server that is cut off from the others would be asked
	// in vain, and say so.
	_, number := w.store.account.current()
	w.token.Store(int64(number))
	replies := w.store.client.Watch(streamContext(ctx, int64(number)), from, clientv3.WithRange(to), clientv3.WithRev(revision), clientv3.WithCreatedNotify())
	for reply := range replies {
		if err := reply.Err(); err != nil {
			if tokenRefused(err) && w.store.renewToken(ctx, number, err) == nil {
				err = errResume
			}
			return revision, err
		}
		// A server that lags behind the one we have read from gives no sign of
		// life of the state we have; and a store that was restored from a
		// backup gives none for long enough to be noticed.
		if reply.Header.Revision < revision {
			continue
		}
		w.box.Apply(w.changes(reply.Events, revision))
		if n := len(reply.Events); n > 0 {
			revision = max(revision, reply.Events[n-1].Kv.ModRevision)
			atomicmax.Raise(&w.seen, revision)
			w.store.saw(revision)
		} else if !reply.Created {
			atomicmax.Raise(&w.seen, reply.Header.Revision)
		}
	}
	if ctx.Err() != nil {
		return revision, context.Cause(ctx)
	}
	return revision, errEnded
}

// streamContext is the context of the stream on which the watches are that were
// begun with a token. The client library puts watches whose contexts have the
// same metadata on one stream, and the server looks at the token of a stream
// when a watch begins: so a new token needs another stream.
func streamContext(ctx context.Context, number int64) context.Context {
	ctx = clientv3.WithRequireLeader(ctx)
	if number <= 1 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "elastic-token", strconv.FormatInt(number, 10))
}

// restart ends what follow is at.
func (w *watch) restart(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop(why)
	}
}

// changes translates events, without those of the driver's own keys, and
// without those that are not newer than what the reader has: a server that has
// just caught up with the others may send some again (etcd issue 15271).
func (w *watch) changes(events []*clientv3.Event, revision int64) []watchbuf.Change {
	all := make([]watchbuf.Change, 0, len(events))
	for _, e := range events {
		name, ours := w.store.keys.name(e.Kv.Key)
		if ours && e.Kv.ModRevision > revision {
			all = append(all, watchbuf.Change{Entry: entry(name, e.Kv), Deleted: e.Type == mvccpb.Event_DELETE})
		}
	}
	return all
}

// again reads everything again, as often as it takes. It returns an error if
// the watch must end.
func (w *watch) again(why error) (int64, error) {
	pause := &backoff.Backoff{Next: 20 * time.Millisecond, Most: 2 * time.Second}
	for {
		if class := refusal(why); class == store.ErrPermission {
			return 0, failed(class, why)
		}
		pause.Wait(w.ctx)
		if w.ctx.Err() != nil {
			return 0, store.ErrClosed
		}
		ctx, cancel := context.WithTimeout(w.ctx, w.store.timeout)
		entries, revision, err := w.store.list(ctx, w.prefix)
		cancel()
		if err == nil {
			w.box.Reset(entries)
			return revision, nil
		}
		w.box.LostContact()
		if errors.Is(err, store.ErrPermission) {
			return 0, err
		}
		why = err
	}
}

// probe asks the server for signs of life as long as there are watches, and
// sees whether they come.
func (s *client) probe() {
	life := s.running.Context()
	for life.Err() == nil {
		backoff.Sleep(life, s.probeEvery-s.patience)
		asked := time.Now()
		if len(s.silentWatches(asked)) > 0 {
			ctx, cancel := context.WithTimeout(life, s.patience/2)
			asked := map[int64]bool{}
			for _, w := range s.running.Watches() {
				if number := w.token.Load(); !asked[number] {
					asked[number] = true
					s.client.RequestProgress(streamContext(ctx, number)) // the watches hear the answer
				}
			}
			cancel()
		}
		backoff.Sleep(life, time.Until(asked.Add(s.patience/2)))
		s.doubt(s.silentWatches(asked))
		backoff.Sleep(life, time.Until(asked.Add(s.patience)))
	}
}

// silentWatches returns the watches that have heard nothing since a time.
func (s *client) silentWatches(since time.Time) []*watch {
	return slices.DeleteFunc(s.running.Watches(), func(w *watch) bool {
		heard := w.box.HeardSince(since)
		if heard {
			w.misses = 0
		}
		return heard
	})
}

// doubt finds out what is wrong with watches that hear nothing. If the store is
// still at the revision that a watch has come to, the watch has missed nothing,
// and only waits for a revision that is not there yet, as it does after the
// client library has resumed it.
func (s *client) doubt(watches []*watch) {
	if len(watches) == 0 || s.running.Context().Err() != nil {
		return
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(s.running.Context(), s.patience/2)
	defer cancel()
	reply, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte(s.keys.probe()), CountOnly: true}, callOptions...)
	for _, w := range watches {
		seen := w.seen.Load()
		switch {
		case err == nil && reply.Header.Revision == seen:
			w.misses = 0
			w.box.Apply(nil)
			w.restart(errResume)
			continue
		case w.box.HeardSince(asked):
			continue
		}
		w.box.LostContact()
		if w.misses++; w.misses >= mostMisses {
			w.misses = 0
			w.restart(errSilent)
		}
	}
}
