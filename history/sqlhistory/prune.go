package sqlhistory

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// pruneEvery is how often Write starts a removal, and pruneLimit how long
	// it may take.
	pruneEvery = time.Hour
	pruneLimit = time.Minute

	// pruneRows are removed by one statement, and pruneRest is the pause after
	// it, which leaves the database to others.
	pruneRows = 1000
	pruneRest = 50 * time.Millisecond

	// pruneLease is for how long one program has the task. Another one takes it
	// over if that one died.
	pruneLease = 5 * time.Minute
)

// Pruned is the outcome of a removal of old rows.
type Pruned struct {
	Rows int64 // that were removed

	// Done reports whether no rows are left that should go. It is false if the
	// time was not enough, or another program has the task.
	Done bool

	// Busy reports whether another program has the task.
	Busy bool
}

// startPruning starts a removal if the last one began an hour ago.
func (d *DB) startPruning() {
	if d.options.NoPrune || d.life.Err() != nil {
		return
	}
	now, last := time.Now().Unix(), d.pruned.Load()
	if now-last < int64(pruneEvery/time.Second) || !d.pruned.CompareAndSwap(last, now) {
		return
	}
	d.removal.Go(func() {
		ctx, cancel := context.WithTimeout(d.life, pruneLimit)
		defer cancel()
		_, _ = d.Prune(ctx, time.Now()) // the next one tries again
	})
}

// rule says which rows of a table go.
type rule struct {
	table  string
	key    string // columns of the primary key
	time   string // the column that says how old a row is
	filter string // a further condition, or empty
	keep   time.Duration
}

func (d *DB) rules() []rule {
	k := d.options.Keep
	const run = "ns, job, shard, fence"
	good, bad := "result IN (0, 1)", "result NOT IN (0, 1)"
	return []rule{
		{"elastic_run", run, "ended", good, k.Runs},
		{"elastic_run", run, "ended", bad, k.Failures},
		{"elastic_fire", "ns, job, fire, trig", "last_end", "", max(k.Runs, k.Failures)},
		{"elastic_missed", "ns, job, first_fire, shard", "seen", "", k.Failures},
		{"elastic_event", "ns, at, instance, seq", "at", "", k.Failures},
		{"elastic_log", run, "ended", "", k.Logs},
		{"elastic_gap", "ns, id", "to_at", "", k.Gaps},
		{"elastic_audit", "id", "at", "", k.Gaps},
	}
}

// Prune removes the rows that are older than Options.Keep says at a time, and
// the oldest runs beyond MaxRows, in small steps, until ctx ends. One program
// does it at a time: the row "prune" of elastic_meta has its lease.
func (d *DB) Prune(ctx context.Context, now time.Time) (p Pruned, err error) {
	if !d.pruning.TryLock() {
		p.Busy = true
		return p, nil
	}
	defer d.pruning.Unlock()
	if err := d.ready(ctx); err != nil {
		return p, err
	}
	lease, err := d.lease(ctx, now)
	if err != nil {
		return p, d.fault("prune history", err)
	}
	if !lease {
		p.Busy = true
		return p, nil
	}
	defer func() {
		if fault := d.release(now); err == nil {
			err = d.fault("prune history", fault)
		}
	}()
	p.Done = true
	for _, r := range d.rules() {
		if r.keep < 0 {
			continue
		}
		done, err := d.prune(ctx, r, now.Add(-r.keep), -1, &p.Rows)
		if err != nil {
			return p, d.fault("prune "+r.table, err)
		}
		p.Done = p.Done && done
	}
	if err := d.pruneExcess(ctx, now, &p); err != nil {
		return p, d.fault("prune elastic_run", err)
	}
	d.backlog.Store(0)
	if !p.Done {
		d.backlog.Store(pruneRows) // at least
	}
	return p, nil
}

// lease takes the task, unless another program has it.
func (d *DB) lease(ctx context.Context, now time.Time) (bool, error) {
	query := d.dialect.rebind("UPDATE elastic_meta SET until_at = ? WHERE name = 'prune' AND until_at < ?")
	result, err := d.db.ExecContext(ctx, query, d.dialect.at(now.Add(pruneLease)), d.dialect.at(now))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// release gives the task back.
func (d *DB) release(now time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryLimit)
	defer cancel()
	query := d.dialect.rebind("UPDATE elastic_meta SET until_at = ? WHERE name = 'prune'")
	_, err := d.db.ExecContext(ctx, query, d.dialect.at(now.Add(-time.Second)))
	return err
}

// prune removes the rows of a rule that are older than a time, at most most
// rows; −1 is all. It goes on from the last row that it removed: a search from
// the start would pass over all that was removed before.
func (d *DB) prune(ctx context.Context, r rule, before time.Time, most int64, removed *int64) (bool, error) {
	from := time.Time{}
	for most != 0 {
		keys, last, err := d.oldest(ctx, r, from, before, most)
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil || len(keys) == 0 {
			return true, err
		}
		n, err := d.remove(ctx, r, keys)
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		*removed += n
		if most > 0 {
			most = max(most-int64(len(keys)), 0)
		}
		from = last
		if len(keys) < pruneRows {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(pruneRest):
		}
	}
	return true, nil
}

// oldest returns the keys of the oldest rows, and the time of the last of them.
func (d *DB) oldest(ctx context.Context, r rule, from, before time.Time, most int64) ([][]any, time.Time, error) {
	s := statement{d: d.dialect}
	s.between(r.time, from, before)
	if r.filter != "" {
		s.and(r.filter)
	}
	limit := pruneRows
	if most > 0 {
		limit = int(min(most, pruneRows))
	}
	columns := strings.Split(r.key, ", ")
	query := d.dialect.rebind("SELECT " + d.dialect.keyColumns(columns) + ", " + d.dialect.column(r.time) + " FROM " +
		r.table + " WHERE " + strings.Join(s.where, " AND ") + " ORDER BY " + r.time + " LIMIT " + strconv.Itoa(limit))
	rows, err := d.db.QueryContext(ctx, query, s.args...)
	if err != nil {
		return nil, from, err
	}
	defer func() { _ = rows.Close() }()
	var keys [][]any
	var last moment
	for rows.Next() {
		key, targets := d.dialect.keyOf(columns)
		if err := rows.Scan(append(targets, &last)...); err != nil {
			return nil, from, err
		}
		keys = append(keys, key())
	}
	return keys, last.time, rows.Err()
}

// timeColumns are the columns of keys that are times.
var timeColumns = map[string]bool{"fire": true, "first_fire": true, "at": true}

func (d Dialect) keyColumns(columns []string) string {
	read := make([]string, len(columns))
	for i, c := range columns {
		read[i] = c
		if timeColumns[c] {
			read[i] = d.column(c)
		}
	}
	return strings.Join(read, ", ")
}

// keyOf returns targets for the columns of a key, and a function that returns
// what was scanned into them, as parameters.
func (d Dialect) keyOf(columns []string) (key func() []any, targets []any) {
	for _, c := range columns {
		switch {
		case timeColumns[c]:
			targets = append(targets, &moment{dialect: d})
		case c == "shard", c == "fence", c == "trig", c == "seq":
			targets = append(targets, new(int64))
		default:
			targets = append(targets, new(string))
		}
	}
	return func() []any {
		var values []any
		for _, t := range targets {
			switch t := t.(type) {
			case *moment:
				values = append(values, *t)
			case *int64:
				values = append(values, *t)
			case *string:
				values = append(values, *t)
			}
		}
		return values
	}, targets
}

// remove removes rows by their keys.
func (d *DB) remove(ctx context.Context, r rule, keys [][]any) (int64, error) {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(keys[0])), ", ") + ")"
	list := strings.TrimSuffix(strings.Repeat(row+", ", len(keys)), ", ")
	if d.dialect == SQLite {
		list = "VALUES " + list
	}
	var args []any
	for _, key := range keys {
		args = append(args, key...)
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := d.prepare(ctx, conn); err != nil {
		return 0, err
	}
	query := d.dialect.rebind("DELETE FROM " + r.table + " WHERE (" + r.key + ") IN (" + list + ")")
	for try := 0; ; try++ {
		result, err := conn.ExecContext(ctx, query, args...)
		if d.dialect.kind(err) == kindAgain && try < maxTries {
			continue
		}
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
}

// pruneExcess removes the oldest runs beyond MaxRows.
func (d *DB) pruneExcess(ctx context.Context, now time.Time, p *Pruned) error {
	most := d.options.Keep.MaxRows
	if most < 0 || ctx.Err() != nil {
		return nil
	}
	n, err := d.estimate(ctx)
	if ctx.Err() != nil {
		p.Done = false
		return nil
	}
	if err != nil || n <= most {
		return err
	}
	r := rule{table: "elastic_run", key: "ns, job, shard, fence", time: "ended"}
	done, err := d.prune(ctx, r, now.Add(24*time.Hour), n-most, &p.Rows)
	p.Done = p.Done && done
	return err
}

// estimate returns about how many runs there are.
func (d *DB) estimate(ctx context.Context) (int64, error) {
	query := "SELECT count(*) FROM elastic_run"
	switch d.dialect {
	case Postgres:
		query = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'elastic_run'::regclass"
	case MySQL:
		query = "SELECT table_rows FROM information_schema.tables " +
			"WHERE table_schema = database() AND table_name = 'elastic_run'"
	}
	var n sql.NullInt64
	if err := d.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the runs: %w", err)
	}
	return n.Int64, nil
}
