package sqlhistory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/history"
)

// runColumns are the columns of elastic_run.
const runColumns = "ns, job, shard, fence, fire, trig, attempt, total, first_fence, rev, instance, started, ended, " +
	"took_us, late_us, retries, result, code, error, trace"

// writeRuns stores runs that are sorted by their keys, and adds those that are
// new to their fires.
func (t *tx) writeRuns(ctx context.Context, runs []history.Run, try int) error {
	if len(runs) == 0 {
		return nil
	}
	if t.d.dialect == Postgres {
		return t.writeArrays(ctx, runs)
	}
	fresh, err := t.writeValues(ctx, runs, try)
	if err != nil {
		return err
	}
	if len(fresh) < len(runs) {
		if err := t.countCollisions(ctx, runs); err != nil {
			return err
		}
	}
	return t.addToFires(ctx, fresh)
}

// arrays inserts runs and adds them to their fires in one statement, and
// returns how many were new. The fires are sorted, so that two writers lock
// them in one order.
const arrays = `
WITH fresh AS (
    INSERT INTO elastic_run (` + runColumns + `)
    SELECT * FROM unnest($1::text::text[], $2::text::text[], $3::text::integer[], $4::text::bigint[],
        $5::text::timestamptz[], $6::text::bigint[], $7::text::integer[], $8::text::integer[], $9::text::bigint[],
        $10::text::bigint[], $11::text::text[], $12::text::timestamptz[], $13::text::timestamptz[],
        $14::text::bigint[], $15::text::bigint[], $16::text::integer[], $17::text::smallint[], $18::text::text[],
        $19::text::text[], $20::text::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING ns, job, fire, trig, total, result, started, ended
), fires AS (
    INSERT INTO elastic_fire AS f (ns, job, fire, trig, total, ok, failed, skipped, lost, other, first_start, last_end)
    SELECT ns, job, fire, trig, max(total),
        count(*) FILTER (WHERE result = 0), count(*) FILTER (WHERE result = 2), count(*) FILTER (WHERE result = 1),
        count(*) FILTER (WHERE result = 3), count(*) FILTER (WHERE result NOT IN (0, 1, 2, 3)),
        min(started), max(ended)
    FROM fresh
    GROUP BY ns, job, fire, trig
    ORDER BY ns, job, fire, trig
    ON CONFLICT (ns, job, fire, trig) DO UPDATE SET
        total = greatest(f.total, excluded.total),
        ok = f.ok + excluded.ok,
        failed = f.failed + excluded.failed,
        skipped = f.skipped + excluded.skipped,
        lost = f.lost + excluded.lost,
        other = f.other + excluded.other,
        first_start = least(f.first_start, excluded.first_start),
        last_end = greatest(f.last_end, excluded.last_end)
)
SELECT count(*) FROM fresh`

func (t *tx) writeArrays(ctx context.Context, runs []history.Run) error {
	var c [20]array
	for i := range runs {
		r := &runs[i]
		c[0].text(r.Namespace)
		c[1].text(r.Job)
		c[2].int(int64(r.Shard))
		c[3].int(r.Fence)
		c[4].time(r.Fire)
		c[5].int(int64(r.Trigger))
		c[6].int(int64(r.Attempt))
		c[7].int(int64(r.Shards))
		c[8].int(r.FirstFence)
		c[9].int(int64(r.Revision))
		c[10].text(r.Instance)
		c[11].time(r.Started)
		c[12].time(r.Ended)
		c[13].int(r.Took.Microseconds())
		c[14].int(r.Late.Microseconds())
		c[15].int(int64(r.Retries))
		c[16].int(numberOf(r.Result))
		c[17].text(r.Code)
		c[18].text(r.Error)
		c[19].bytes(traceOf(r))
	}
	args := make([]any, len(c))
	for i := range c {
		args[i] = c[i].String()
	}
	var fresh int
	if err := t.QueryRowContext(ctx, arrays, args...).Scan(&fresh); err != nil {
		return err
	}
	if fresh < len(runs) {
		return t.countCollisions(ctx, runs)
	}
	return nil
}

// traceOf returns the trace ID of a run; nil if it has none.
func traceOf(r *history.Run) []byte {
	if r.Trace == (history.TraceID{}) {
		return nil
	}
	return r.Trace[:]
}

// errRaced means that another writer has inserted one of the runs since it was
// looked for.
var errRaced = errors.New("another writer stored one of the runs")

// valuesRows is how many runs one statement inserts. SQLite takes 32,766
// parameters, MySQL 65,535.
const valuesRows = 500

// writeValues inserts runs, and returns those that were new. At first it
// expects all to be new; if they were not, the transaction is tried again, and
// asks for the others first.
func (t *tx) writeValues(ctx context.Context, runs []history.Run, try int) ([]history.Run, error) {
	fresh := slices.CompactFunc(slices.Clone(runs), func(a, b history.Run) bool { return a.RunKey == b.RunKey })
	if try > 0 {
		known, err := t.known(ctx, fresh)
		if err != nil {
			return nil, err
		}
		fresh = slices.DeleteFunc(fresh, func(r history.Run) bool { return known[r.RunKey] != nil })
	}
	for part := range slices.Chunk(fresh, valuesRows) {
		var args []any
		for i := range part {
			args = append(args, t.values(&part[i])...)
		}
		result, err := t.ExecContext(ctx, t.d.dialect.insert("elastic_run", runColumns, len(part)), args...)
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		if n != int64(len(part)) {
			return nil, errRaced
		}
	}
	return fresh, nil
}

func (t *tx) values(r *history.Run) []any {
	d := t.d.dialect
	return []any{
		r.Namespace,
		r.Job,
		r.Shard,
		r.Fence,
		d.at(r.Fire),
		int64(r.Trigger),
		r.Attempt,
		r.Shards,
		r.FirstFence,
		int64(r.Revision),
		r.Instance,
		d.at(r.Started),
		d.at(r.Ended),
		r.Took.Microseconds(),
		r.Late.Microseconds(),
		r.Retries,
		numberOf(r.Result),
		r.Code,
		r.Error,
		traceOf(r),
	}
}

// knownRows is how many keys one statement asks for.
const knownRows = 100

// stored has the fields of a stored run that are compared.
type stored struct {
	result   int64
	started  time.Time
	instance string
}

// known returns the runs of these keys that the database has.
func (t *tx) known(ctx context.Context, runs []history.Run) (map[history.RunKey]*stored, error) {
	d := t.d.dialect
	found := map[history.RunKey]*stored{}
	for part := range slices.Chunk(runs, knownRows) {
		var args []any
		for _, r := range part {
			args = append(args, r.Namespace, r.Job, r.Shard, r.Fence)
		}
		keys := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", len(part)), ", ")
		if d == SQLite {
			keys = "VALUES " + keys
		}
		query := "SELECT ns, job, shard, fence, result, " + d.column("started") + ", instance FROM elastic_run " +
			"WHERE (ns, job, shard, fence) IN (" + keys + ")"
		if err := t.scanKnown(ctx, d.rebind(query), args, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (t *tx) scanKnown(ctx context.Context, query string, args []any, found map[history.RunKey]*stored) error {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key history.RunKey
		var s stored
		var started moment
		err := rows.Scan(&key.Namespace, &key.Job, &key.Shard, &key.Fence, &s.result, &started, &s.instance)
		if err != nil {
			return err
		}
		s.started = started.time
		found[key] = &s
	}
	return rows.Err()
}

// countCollisions counts the runs that differ from those that the database has
// under their keys.
func (t *tx) countCollisions(ctx context.Context, runs []history.Run) error {
	known, err := t.known(ctx, runs)
	if err != nil {
		return err
	}
	for i := range runs {
		r := &runs[i]
		s := known[r.RunKey]
		if s != nil && (s.result != numberOf(r.Result) || !s.started.Equal(r.Started) || s.instance != r.Instance) {
			t.collisions++
		}
	}
	return nil
}

// addToFires adds runs to the counts of their fires.
func (t *tx) addToFires(ctx context.Context, runs []history.Run) error {
	d := t.d.dialect
	type key struct {
		namespace, job string
		fire           int64
		trigger        uint64
	}
	fires := map[key]*history.Fire{}
	var order []key
	for _, r := range runs {
		k := key{r.Namespace, r.Job, r.Fire.UnixMicro(), r.Trigger}
		f := fires[k]
		if f == nil {
			f = &history.Fire{Fire: r.Fire, FirstStart: r.Started, LastEnd: r.Ended}
			fires[k] = f
			order = append(order, k)
		}
		f.Shards = max(f.Shards, r.Shards)
		f.Tally.Add(r.Result)
		if r.Started.Before(f.FirstStart) {
			f.FirstStart = r.Started
		}
		if r.Ended.After(f.LastEnd) {
			f.LastEnd = r.Ended
		}
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmp.Or(
			strings.Compare(a.namespace, b.namespace),
			strings.Compare(a.job, b.job),
			cmp.Compare(a.fire, b.fire),
			cmp.Compare(a.trigger, b.trigger),
		)
	})
	for part := range slices.Chunk(order, knownRows) {
		var args []any
		for _, k := range part {
			f := fires[k]
			args = append(args, k.namespace, k.job, d.at(f.Fire), int64(k.trigger), f.Shards, f.OK, f.Failed,
				f.Skipped, f.Lost, f.Other, d.at(f.FirstStart), d.at(f.LastEnd))
		}
		if _, err := t.ExecContext(ctx, d.upsertFires(len(part)), args...); err != nil {
			return err
		}
	}
	return nil
}

// upsertFires returns a statement that adds counts to fires.
func (d Dialect) upsertFires(n int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", 12), ", ") + ")"
	query := "INSERT INTO elastic_fire (ns, job, fire, trig, total, ok, failed, skipped, lost, other, " +
		"first_start, last_end) VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", n), ", ")
	if d == MySQL {
		return query + ` ON DUPLICATE KEY UPDATE
    total = greatest(total, VALUES(total)),
    ok = ok + VALUES(ok),
    failed = failed + VALUES(failed),
    skipped = skipped + VALUES(skipped),
    lost = lost + VALUES(lost),
    other = other + VALUES(other),
    first_start = least(first_start, VALUES(first_start)),
    last_end = greatest(last_end, VALUES(last_end))`
	}
	return query + ` ON CONFLICT (ns, job, fire, trig) DO UPDATE SET
    total = max(total, excluded.total),
    ok = ok + excluded.ok,
    failed = failed + excluded.failed,
    skipped = skipped + excluded.skipped,
    lost = lost + excluded.lost,
    other = other + excluded.other,
    first_start = min(first_start, excluded.first_start),
    last_end = max(last_end, excluded.last_end)`
}
