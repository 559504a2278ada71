package sqlhistory

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/history"
)

// Options configures a [DB]. The zero value is usable.
type Options struct {
	// Migrate makes the first Write create or upgrade the tables. Without it a
	// database whose schema is older than the program is not written:
	// [history.ErrIncompatible].
	Migrate bool

	// Keep is for how long rows are kept. Zero fields have the defaults of
	// [DefaultKeep].
	Keep Keep

	// NoPrune leaves the removal of old rows to others, such as a call of
	// [DB.Prune] once a day. Without it Write starts a removal once an hour.
	NoPrune bool
}

// Keep is for how long rows are kept, by type. A negative duration keeps them
// for ever.
type Keep struct {
	Runs     time.Duration // that succeeded or were skipped
	Failures time.Duration // all other runs, fires, missed fires and events
	Logs     time.Duration
	Gaps     time.Duration // gaps and audit entries

	// MaxRows bounds the number of runs. The oldest are removed first. The
	// number is that of the database's statistics, and so about right.
	MaxRows int64
}

// DefaultKeep has the defaults of [Keep].
var DefaultKeep = Keep{
	Runs:     30 * 24 * time.Hour,
	Failures: 90 * 24 * time.Hour,
	Logs:     7 * 24 * time.Hour,
	Gaps:     365 * 24 * time.Hour,
	MaxRows:  50_000_000,
}

func (k Keep) withDefaults() Keep {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&k.Runs, DefaultKeep.Runs)
	set(&k.Failures, DefaultKeep.Failures)
	set(&k.Logs, DefaultKeep.Logs)
	set(&k.Gaps, DefaultKeep.Gaps)
	if k.MaxRows == 0 {
		k.MaxRows = DefaultKeep.MaxRows
	}
	return k
}

// DB is a history in a database. Its methods are safe for concurrent use.
type DB struct {
	db      *sql.DB
	dialect Dialect
	options Options

	checked    atomic.Bool // the schema fits
	migration  sync.Mutex
	collisions atomic.Uint64

	pruning sync.Mutex
	pruned  atomic.Int64 // when Write has started a removal last, in seconds
	backlog atomic.Int64
	end     context.CancelFunc
	life    context.Context
	removal sync.WaitGroup
}

// New returns a history in db. It does not connect. The caller closes db, after
// [DB.Close].
func New(db *sql.DB, d Dialect, o Options) *DB {
	o.Keep = o.Keep.withDefaults()
	life, end := context.WithCancel(context.Background())
	return &DB{
		db:      db,
		dialect: d,
		options: o,
		life:    life,
		end:     end,
	}
}

// Close ends a removal of old rows that is under way, and waits for it. It does
// not close the database.
func (d *DB) Close() {
	d.end()
	d.removal.Wait()
}

// Stats are counters of a [DB] since it was made.
type Stats struct {
	// Collisions is the number of runs that were ignored because the database
	// had another run with the same key. That takes a job that was removed and
	// made again while a clock was wrong.
	Collisions uint64

	// PruneBacklog is about how many rows the last removal has left although
	// they are older than Keep says.
	PruneBacklog int64
}

// Stats returns the counters.
func (d *DB) Stats() Stats {
	return Stats{Collisions: d.collisions.Load(), PruneBacklog: d.backlog.Load()}
}

// queryLimit bounds a query.
const queryLimit = 5 * time.Second

// ready returns an error unless the schema fits this program. It asks the
// database only until it does.
func (d *DB) ready(ctx context.Context) error {
	if d.checked.Load() {
		return nil
	}
	d.migration.Lock()
	defer d.migration.Unlock()
	if d.checked.Load() {
		return nil
	}
	version, err := d.Version(ctx)
	if err != nil {
		return err
	}
	if version < Latest && d.options.Migrate {
		if err := d.migrate(ctx); err != nil {
			return err
		}
		version = Latest
	}
	if version < Latest {
		return fmt.Errorf("%w: the schema of the database has version %d, and this program needs %d; "+
			"run elasticctl history init, or set Options.Migrate", history.ErrIncompatible, version, Latest)
	}
	d.checked.Store(true)
	return nil
}
