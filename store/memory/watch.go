package memory

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// What a topic remembers for watches that lag behind. A watch that fell off is
// given a Reset, so that readers that are slow meet one in tests as they would
// in production.
const (
	ringCommits = 1024
	ringBytes   = 4 << 20
)

// topic is the list of changes below one watched prefix.
type topic struct {
	watches []*watch
	commits []commit // the last ones, oldest first
	next    uint64   // commits that there ever were: the cursor of a watch that has read all
	bytes   int      // keys and values in commits
	last    uint64   // revision of the last commit
}

type commit struct {
	at      time.Time
	changes []change
	bytes   int
}

type change struct {
	key    string
	record *record // nil: deleted
}

func (t *topic) begin(at time.Time) {
	t.commits = append(t.commits, commit{at: at})
	t.next++
}

func (t *topic) add(c change) {
	size := len(c.key)
	if c.record != nil {
		size += len(c.record.value)
	}
	last := &t.commits[len(t.commits)-1]
	last.changes = append(last.changes, c)
	last.bytes += size
	t.bytes += size
}

func (t *topic) trim() {
	drop, bytes := max(0, len(t.commits)-ringCommits), t.bytes
	for i, c := range t.commits {
		if i >= drop && bytes <= ringBytes {
			break
		}
		drop, bytes = max(drop, i+1), bytes-c.bytes
	}
	t.bytes = bytes
	clear(t.commits[:drop])
	t.commits = t.commits[drop:] // append moves them to the front of a new array in time
}

func (t *topic) forget() { t.commits, t.bytes = nil, 0 }

// from returns the commits after a cursor, and whether none of them is missing.
func (t *topic) from(cursor uint64) ([]commit, bool) {
	behind := t.next - cursor
	if behind > uint64(len(t.commits)) {
		return nil, false
	}
	return t.commits[len(t.commits)-int(behind):], true
}

// watch is a cursor in a topic. Server.mu guards the fields that change.
type watch struct {
	client *Client
	prefix string
	topic  *topic // nil before start and after stop

	cursor  uint64
	reset   bool      // the next Update is a Reset
	started bool      // there was an Update
	stale   bool      // the last Update said so
	asOf    time.Time // of the last Update
	at      time.Time // when it was given

	held    held // taken and not given yet; only Next uses it
	holding bool

	wake chan struct{} // holds one: something has changed
	done chan struct{} // closed by stop
}

// held is an Update that must not be given before the journal has kept it.
type held struct {
	update  store.Update
	records []*record
	kept    *Receipt  // nil: nothing to wait for
	before  time.Time // asOf of the Update before
}

// SlowWatches makes the client's watches deliver a commit only lag after it was
// made, and leave at least gap between two Updates, so that what happened in
// between is one Update. Resets are not delayed by lag. Zeros end it.
func (c *Client) SlowWatches(lag, gap time.Duration) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.lag, c.gap = lag, gap
	c.rouseWatches()
}

// start puts the watch at the end of its topic. The caller holds s.mu.
func (w *watch) start() {
	s := w.client.server
	if w.ended() {
		return // the start was given up before it arrived
	}
	t := s.topics[w.prefix]
	if t == nil {
		t = &topic{}
		s.topics[w.prefix] = t
	}
	t.watches = append(t.watches, w)
	w.topic, w.cursor = t, t.next
	w.client.watches[w] = true
}

func (w *watch) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// stop ends the watch. The caller holds s.mu.
func (w *watch) stop() {
	if w.ended() {
		return
	}
	close(w.done)
	t, s := w.topic, w.client.server
	if t == nil {
		return
	}
	w.topic = nil
	delete(w.client.watches, w)
	if i := slices.Index(t.watches, w); i >= 0 {
		t.watches = slices.Delete(t.watches, i, i+1)
	}
	if len(t.watches) == 0 {
		delete(s.topics, w.prefix)
	}
}

// rouse makes Next look again. It never blocks.
func (w *watch) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Next waits for the next Update.
func (w *watch) Next(ctx context.Context) (store.Update, error) {
	for {
		if err := ctx.Err(); err != nil {
			return store.Update{}, err
		}
		var wait time.Duration
		if !w.holding {
			var err error
			if wait, err = w.take(time.Now()); err != nil {
				return store.Update{}, err
			}
		}
		var kept <-chan struct{}
		if h := w.held; w.holding {
			switch settled := h.kept == nil || h.kept.settled(); { // asked once: it can become true at any time
			case !settled:
				kept = h.kept.done
			case h.kept == nil || h.kept.err == nil:
				w.held, w.holding = held{}, false
				h.update.Entries = entries(h.records)
				return h.update, nil
			default:
				w.drop()
				continue
			}
		}
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-w.done:
			return store.Update{}, store.ErrClosed
		case <-ctx.Done():
			return store.Update{}, ctx.Err()
		case <-w.wake:
		case <-kept:
		case <-due:
		}
	}
}

// drop forgets an Update that the journal has failed to keep.
func (w *watch) drop() {
	s := w.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	w.asOf, w.started = w.held.before, !w.held.before.IsZero()
	w.held, w.holding = held{}, false
}

// take holds the Update that is due now, with its entries as records, or
// returns how long to wait for it; zero is until something happens. It returns
// an error if the server has ended and the reader knows that the content is
// stale.
func (w *watch) take(now time.Time) (time.Duration, error) {
	s := w.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	before := w.asOf
	u, records, wait, ok := w.due(now)
	if !ok {
		if w.client.healed != nil || w.topic == nil {
			return wait, nil
		}
		return wait, s.lost()
	}
	w.held, w.holding = held{update: u, records: records, before: before}, true
	if !u.Stale {
		w.held.kept = s.unkept()
	}
	return 0, nil
}

// due is take without the wait for the journal. The caller holds s.mu.
func (w *watch) due(now time.Time) (u store.Update, records []*record, wait time.Duration, ok bool) {
	c, s := w.client, w.client.server
	if w.topic == nil {
		return u, nil, 0, false // done is closed
	}
	if c.healed != nil || s.lost() != nil {
		if w.stale || !w.started {
			return u, nil, 0, false
		}
		w.stale = true
		return store.Update{Stale: true, AsOf: w.asOf}, nil, 0, true
	}
	if early := w.at.Add(c.gap).Sub(now); w.started && early > 0 {
		return u, nil, early, false
	}

	commits, complete := w.topic.from(w.cursor)
	if w.reset || !complete {
		w.cursor, w.reset = w.topic.next, false
		w.deliver(now, now)
		return store.Update{Reset: true, AsOf: now}, s.keys.below(w.prefix, "", math.MaxInt), 0, true
	}
	latest := map[string]*record{}
	for _, commit := range commits {
		if early := commit.at.Add(c.lag).Sub(now); early > 0 {
			wait = early
			break
		}
		for _, ch := range commit.changes {
			latest[ch.key] = ch.record
		}
		w.cursor++
	}
	if len(latest) == 0 && !w.stale {
		return u, nil, wait, false
	}
	w.deliver(now, now.Add(-c.lag))
	u.AsOf = w.asOf
	for _, key := range slices.Sorted(maps.Keys(latest)) {
		if r := latest[key]; r != nil {
			records = append(records, r)
		} else {
			u.Deleted = append(u.Deleted, key)
		}
	}
	return u, records, 0, true
}

// deliver notes that an Update is given to the reader.
func (w *watch) deliver(now, asOf time.Time) {
	w.started, w.stale, w.at = true, false, now
	if asOf.After(w.asOf) {
		w.asOf = asOf
	}
}

// Close ends the watch.
func (w *watch) Close() error {
	s := w.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	w.stop()
	return nil
}
