package history

import (
	"context"
	"sync"
)

// defaultRing is how many rows a ring holds by default.
const defaultRing = 10_000

// Ring keeps the newest rows in memory. It is a [Sink] and a [Reader]. Its
// methods are safe for concurrent use.
type Ring struct {
	mu   sync.Mutex
	runs ringOf[RunKey, Run]
	miss ringOf[missedKey, Missed]
	evts ringOf[eventKey, Event]
	gaps ringOf[Gap, Gap]
	auds ringOf[string, Audit]
	logs ringOf[RunKey, Log]
}

// The keys of rows. Times are in microseconds since 1970, as databases have
// them.
type missedKey struct {
	namespace, job string
	shard          int
	first          int64
}

type eventKey struct {
	namespace, instance string
	at                  int64
	seq                 uint64
}

// NewRing returns a ring that holds the newest n rows of each type; 0 means
// 10,000. Of logs it holds a hundredth, as they can have 64 KiB each.
func NewRing(n int) *Ring {
	if n <= 0 {
		n = defaultRing
	}
	r := &Ring{}
	r.runs.size = n
	r.miss.size = n
	r.evts.size = n
	r.gaps.size = n
	r.auds.size = n
	r.logs.size = max(n/100, 1)
	return r
}

// Write adds the rows. It never fails.
func (r *Ring) Write(_ context.Context, b Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range b.Runs {
		r.runs.add(row.RunKey, row)
	}
	for _, row := range b.Missed {
		r.miss.add(missedKey{row.Namespace, row.Job, row.Shard, row.First.UnixMicro()}, row)
	}
	for _, row := range b.Events {
		r.evts.add(eventKey{row.Namespace, row.Instance, row.At.UnixMicro(), row.Seq}, row)
	}
	for _, row := range b.Gaps {
		r.gaps.add(row, row)
	}
	for _, row := range b.Audit {
		r.auds.add(row.ID, row)
	}
	for _, row := range b.Logs {
		r.logs.add(row.RunKey, row)
	}
	return nil
}

// ringOf holds the newest rows of one type.
type ringOf[K comparable, T any] struct {
	size int
	rows []keyed[K, T]
	next int // the place of the next row, once the ring is full
	has  map[K]struct{}
}

type keyed[K comparable, T any] struct {
	key K
	row T
}

// add adds a row, unless the ring has its key.
func (r *ringOf[K, T]) add(key K, row T) {
	if _, has := r.has[key]; has {
		return
	}
	if r.has == nil {
		r.has = map[K]struct{}{}
	}
	r.has[key] = struct{}{}
	if len(r.rows) < r.size {
		r.rows = append(r.rows, keyed[K, T]{key, row})
		return
	}
	delete(r.has, r.rows[r.next].key)
	r.rows[r.next] = keyed[K, T]{key, row}
	r.next = (r.next + 1) % r.size
}

// all returns the rows, oldest first.
func (r *ringOf[K, T]) all() []T {
	rows := make([]T, 0, len(r.rows))
	for i := range r.rows {
		rows = append(rows, r.rows[(r.next+i)%len(r.rows)].row)
	}
	return rows
}
