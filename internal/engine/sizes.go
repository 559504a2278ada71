package engine

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// sizes is what a lane has learned about the largest transaction that gets
// through. A store whose limit is lower than its driver knows, or a proxy before
// it, may end the connection instead of refusing: the transaction fails, again
// and again. Then halves are tried. That also finds the one key that fails.
type sizes struct {
	cut    map[string]bool // keys of transactions that failed so, until they are written
	bytes  int             // of the smallest such transaction
	fits   int             // moves in the largest transaction that wrote some of these keys
	wrote  int             // bytes of that one
	proven bool            // a larger one failed after that
	retry  int             // moves in the next transaction of keys that failed; 0: as many as fit
	solved time.Time       // when halves last wrote what failed as a whole

	limit int       // bytes of any transaction; 0: as many as the store's driver says
	since time.Time // when the limit was found
}

const (
	// halveAfter is how often a transaction fails before it is halved. Once is
	// often the loss of a single answer.
	halveAfter = 2

	// solvedAgain is the time within which the same may happen again to be no
	// accident: a store that comes back takes halves, too.
	solvedAgain = time.Minute

	// limitedFor is how long a limit is kept before larger transactions are
	// tried again.
	limitedFor = time.Hour
)

// failed notes that a transaction failed, for the given time in a row.
func (z *sizes) failed(batch []*move, bytes, tries int) {
	if len(batch) == 1 {
		z.giveUp() // it is the key, and not the size
		return
	}
	if tries < halveAfter {
		return
	}
	if z.cut == nil {
		z.cut = map[string]bool{}
	}
	for _, m := range batch {
		z.cut[m.op.Key] = true
	}
	z.bytes = bytes
	z.retry = len(batch) / 2
	if z.fits > 0 && len(batch) > z.fits {
		z.proven, z.retry = true, z.fits
	}
}

// giveUp ends the search for a limit.
func (z *sizes) giveUp() { z.cut, z.fits, z.proven, z.retry = nil, 0, false, 0 }

// most returns how many bytes a transaction may have, of those that the store's
// driver allows.
func (z *sizes) most(caps int) int {
	if z.limit == 0 || time.Since(z.since) > limitedFor {
		return caps
	}
	return min(z.limit, caps)
}

// fitted notes that the store has answered a transaction. If all that failed as
// a whole gets through in smaller transactions, and larger ones still fail, it
// was the size.
func (e *Engine) fitted(l *lane, batch []*move, bytes int) {
	z := &l.size
	found := false
	for _, m := range batch {
		if z.cut[m.op.Key] {
			delete(z.cut, m.op.Key)
			found = true
		}
	}
	if !found {
		return
	}
	if len(batch) > z.fits {
		z.fits, z.wrote = len(batch), bytes
	}
	if z.retry = 0; z.proven {
		z.retry = z.fits
	}
	if len(z.cut) > 0 {
		return
	}
	known, most := z.proven || time.Since(z.solved) < solvedAgain, z.wrote
	z.solved = time.Now()
	z.giveUp()
	if !known {
		return
	}
	z.limit, z.since = most, time.Now()
	e.emit(observe.Event{
		Kind:   observe.Trouble,
		Shard:  -1,
		Code:   "transaction_size",
		Args:   map[string]string{"bytes": fmt.Sprint(z.bytes), "limit": fmt.Sprint(most)},
		Err:    fmt.Errorf("transactions of %d bytes and more fail, smaller ones get through", z.bytes),
		Detail: fmt.Sprintf("the store, or a proxy before it, seems to cut at a size, such as jute.maxbuffer of ZooKeeper; transactions have at most %d bytes for now", most),
	})
}
