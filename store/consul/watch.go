package consul

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/watchbuf"
	"github.com/hashicorp/consul/api"
)

// Consul is asked for the content of a prefix again and again, and answers when
// it has changed, or after wait and up to a sixteenth more. What has not been
// answered slack later never will be.
//
// So a watch that is asked for nothing but signs of life would cost two
// requests a minute and tell of a dead connection after half a minute. The
// store looks after all its watches together: if it has heard nothing of Consul
// for probeEvery, by whatever request, it asks for a key, and if that is not
// answered within patience, their readers are told that they are stale, and all
// ask again. A session that is renewed is sign enough.
//
// An agent passes a query on to the leader and waits, for half a minute if that
// leader was cut off, when another one has long changed what is asked for. So
// the store looks every leaderEvery who leads, which any server knows by
// itself, and has all watches ask again when it is another.
const (
	wait       = 30 * time.Second
	slack      = 5 * time.Second
	probeEvery = 4 * time.Second
	patience   = 2 * time.Second

	leaderEvery = 10 * time.Second
)

// Each answer is the whole prefix. The pause after one grows with what it takes
// to read it, so that a large prefix that changes all the time takes half a
// processor and not more; and, up to mostNoise, with the number of answers in a
// row in which nothing had changed: a prefix without keys is as old as the
// whole of Consul's store, and is answered whenever something near it is
// written.
const (
	pausePerKey = 5 * time.Microsecond
	mostNoise   = 250 * time.Millisecond
)

// watch follows a prefix.
type watch struct {
	store  *client
	prefix string
	box    *watchbuf.Buffer
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	asked time.Time               // when what is under way was sent
	stop  context.CancelCauseFunc // ends what is under way
}

// errAgain ends a query that may wait on a dead connection.
var errAgain = errors.New("to be asked again")

// Watch reads the prefix and follows it.
func (s *client) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	w := &watch{store: s, prefix: prefix, box: watchbuf.New()}
	entries, index, err := s.list(ctx, prefix)
	if err != nil {
		return nil, s.readError(err)
	}
	w.box.Reset(entries)
	w.ctx, w.cancel = context.WithCancel(s.running.Context())
	if !s.running.AddWatch(w, func() { w.run(index) }) {
		w.cancel()
		return nil, store.ErrClosed
	}
	s.probing.Do(func() {
		s.running.Go(s.probe)
		s.running.Go(s.followLeader)
	})
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

// run follows the prefix from an index on, until the watch is closed or not
// allowed.
func (w *watch) run(told uint64) {
	noise := 0
	failures := w.failures()
	for from := told; w.ctx.Err() == nil; { // 0 does not wait
		asked := time.Now()
		entries, now, err := w.poll(from)
		switch {
		case w.ctx.Err() != nil:
			return
		case errors.Is(err, errAgain):
			from = 0
			continue
		case errors.Is(err, store.ErrPermission):
			w.box.End(err)
			return
		case err != nil:
			w.box.LostContact()
			from = 0
			failures.Wait(w.ctx)
			continue
		}
		failures = w.failures()
		took := time.Since(asked)
		news := w.take(entries, told, now)
		if noise++; news || took > time.Second {
			noise = 0
		}
		from = next(from, told, now, took < w.store.wait)
		told = now
		backoff.Sleep(w.ctx, time.Duration(len(entries))*pausePerKey+pauseAfter(noise))
	}
}

// next returns the index to wait for, given the one that was waited for, the
// one of what was told before, and the one of the answer; 0 is to ask at once.
//
// An index that has gone back, because tombstones were removed or a snapshot
// was put back, is none to wait for:
// https://developer.hashicorp.com/consul/api-docs/features/blocking. An answer
// that comes early without a new index is that of a state that has just been
// put away for a snapshot (AbandonCh in Consul's agent/blockingquery); that of
// the snapshot is lower, and would be waited for in vain.
func next(from, told, now uint64, early bool) uint64 {
	if now < told || now == from && early {
		return 0
	}
	return now
}

func (w *watch) failures() *backoff.Backoff {
	return &backoff.Backoff{Next: 20 * time.Millisecond, Most: time.Second}
}

// pauseAfter is the pause after so many answers without news.
func pauseAfter(noise int) time.Duration {
	const few = 3
	if noise <= few {
		return 0
	}
	return min(time.Millisecond<<min(noise-few, 10), mostNoise)
}

// take hands over what was read, and reports whether there was news in it. A
// store that has gone back may have other writes under the same indexes, and
// everything is told again.
func (w *watch) take(entries []store.Entry, told, now uint64) (news bool) {
	if now < told {
		w.box.Reset(entries)
		return true
	}
	before := w.box.Len()
	w.box.Replace(entries)
	return w.box.Len() != before
}

// poll asks for the content of the prefix, once its index is another than a
// given one; at once if that is 0.
func (w *watch) poll(index uint64) ([]store.Entry, uint64, error) {
	s := w.store
	patience := s.timeout
	if index > 0 {
		patience = s.wait + s.wait/16 + slack
	}
	timed, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	ctx, stop := context.WithCancelCause(timed)
	defer stop(nil)
	asked := time.Now()
	w.mu.Lock()
	w.asked, w.stop = asked, stop
	w.mu.Unlock()

	h, secret := s.hosts.now(), s.token.get()
	entries, now, err := s.listFrom(ctx, h, w.prefix, index, s.wait)
	if err == nil {
		s.heard(h)
		return entries, now, nil
	}
	switch class := refusal(err); {
	case errors.Is(context.Cause(ctx), errAgain) && w.ctx.Err() == nil:
		return nil, 0, errAgain
	case class == store.ErrPermission && s.token.renewed(secret):
		return nil, 0, errAgain
	case class == store.ErrPermission:
		return nil, 0, failed(class, err)
	}
	s.hosts.leave(h, asked)
	return nil, 0, err
}

// askAgain has what was asked before a time be asked again.
func (w *watch) askAgain(before time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil && w.asked.Before(before) {
		w.stop(errAgain)
	}
}

// probe sees to it that Consul is heard of, as long as there are watches.
func (s *client) probe() {
	life := s.running.Context()
	for life.Err() == nil {
		pause := max(s.probeEvery-s.quietFor(), s.probeEvery/20)
		if !s.watched() {
			pause = s.probeEvery
		}
		backoff.Sleep(life, pause)
		if s.quietFor() < s.probeEvery || life.Err() != nil || !s.watched() {
			continue
		}
		asked := time.Now()
		ctx, cancel := context.WithTimeout(life, s.patience)
		_, err := s.get(ctx, s.keys.probe())
		cancel()
		if err != nil && !errors.Is(err, store.ErrNotFound) && s.quietFor() >= s.probeEvery {
			s.doubt(asked)
		}
	}
}

// followLeader has watches ask again when another server leads, as long as
// there are any.
func (s *client) followLeader() {
	life := s.running.Context()
	for last := ""; life.Err() == nil; backoff.Sleep(life, s.leaderEvery) {
		if !s.watched() {
			continue
		}
		asked := time.Now()
		ctx, cancel := context.WithTimeout(life, s.patience)
		now, err := s.hosts.now().api.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
		cancel()
		if err != nil || now == "" { // the probe finds out what is wrong
			continue
		}
		if last != "" && now != last {
			s.askAllAgain(asked)
		}
		last = now
	}
}

func (s *client) watched() bool { return len(s.running.Watches()) > 0 }

// doubt tells all readers that they may be stale, until an answer comes.
func (s *client) doubt(since time.Time) {
	for _, w := range s.running.Watches() {
		w.box.LostContact()
		w.askAgain(since)
	}
}
