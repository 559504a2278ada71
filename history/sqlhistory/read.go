package sqlhistory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/internal/page"
)

// statement is a query that is put together.
type statement struct {
	d     Dialect
	where []string
	args  []any
}

func (s *statement) and(condition string, args ...any) {
	s.where = append(s.where, condition)
	s.args = append(s.args, args...)
}

// between restricts a column to a span of time.
func (s *statement) between(column string, since, until time.Time) {
	if !since.IsZero() {
		s.and(column+" >= ?", s.d.at(since))
	}
	if !until.IsZero() {
		s.and(column+" < ?", s.d.at(until))
	}
}

// in restricts a column to values, of which there is at least one.
func in[T any](s *statement, column string, values []T) {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	s.and(column+" IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")+")", args...)
}

// after restricts a list, whose columns are all descending, to the rows after a
// cursor. The first column is a time. MySQL does not use an index for a
// comparison of several columns, but does for that of the first one.
func (s *statement) after(c *page.Cursor, columns string, values ...any) {
	if c == nil {
		return
	}
	first, _, several := strings.Cut(columns, ", ")
	at := s.d.at(time.UnixMicro(c.At).UTC())
	if !several {
		s.and(first+" < ?", at)
		return
	}
	s.and(first+" <= ?", at)
	if s.d == SQLite {
		// Or it uses this comparison in place of the equalities before.
		columns = "+" + columns
	}
	marks := strings.Repeat(", ?", len(values))
	s.and("("+columns+") < (?"+marks+")", append([]any{at}, values...)...)
}

// text returns the query. order are the columns, of which all descend.
func (s *statement) text(columns, table, order string, limit int) string {
	q := "SELECT " + columns + " FROM " + table + " WHERE " + strings.Join(s.where, " AND ")
	if order != "" {
		q += " ORDER BY " + strings.ReplaceAll(order, ", ", " DESC, ") + " DESC"
	}
	if limit > 0 {
		q += fmt.Sprintf(" LIMIT %d", limit)
	}
	return s.d.rebind(q)
}

// list runs a query and returns at most limit rows, and whether there are more.
func list[T any](
	ctx context.Context,
	d *DB,
	query string,
	args []any,
	limit int,
	scan func(*sql.Rows) (T, error),
) (items []T, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if len(items) == limit {
			return items, true, nil
		}
		item, err := scan(rows)
		if err != nil {
			return nil, false, err
		}
		items = append(items, item)
	}
	return items, false, rows.Err()
}

// runQuery returns the statement of a list of runs, and its order.
func (d Dialect) runQuery(q *history.RunQuery, c *page.Cursor) (s statement, order string) {
	s = statement{d: d}
	s.and("ns = ?", q.Namespace)
	if q.Job != "" {
		s.and("job = ?", q.Job)
		s.between("fire", q.Since, q.Until)
		order = "fire, trig, shard, fence"
		if c != nil {
			s.after(c, order, c.Ints[0], c.Ints[1], c.Ints[2])
		}
	} else {
		s.between("ended", q.Since, q.Until)
		order = "ended, job, shard, fence"
		if c != nil {
			s.after(c, order, c.Texts[0], c.Ints[1], c.Ints[2])
		}
	}
	if !q.Fire.IsZero() {
		s.and("fire = ?", d.at(q.Fire))
	}
	if q.Trigger != 0 {
		s.and("trig = ?", int64(q.Trigger))
	}
	if len(q.Shards) > 0 {
		in(&s, "shard", q.Shards)
	}
	d.restrictResults(&s, q.Results)
	if q.Instance != "" {
		s.and("instance = ?", q.Instance)
	}
	if q.MinAttempt > 0 {
		s.and("attempt >= ?", q.MinAttempt)
	}
	if q.MinLate > 0 {
		s.and("late_us >= ?", q.MinLate.Microseconds())
	}
	if q.ErrorHas != "" {
		s.and(d.contains("error"), q.ErrorHas)
	}
	return s, order
}

// restrictResults restricts a list to results. If all of them are failures, the
// index of failures can be used.
func (d Dialect) restrictResults(s *statement, results []failover.Result) {
	if len(results) == 0 {
		return
	}
	numbers := make([]int64, len(results))
	for i, r := range results {
		numbers[i] = numberOf(r)
	}
	in(s, "result", numbers)
	if slices.Min(numbers) < firstBad {
		return
	}
	if d == MySQL {
		s.and("bad = 1")
		return
	}
	s.and("result NOT IN (0, 1)")
}

// contains returns the condition that a column has a text as a part.
func (d Dialect) contains(column string) string {
	switch d {
	case Postgres:
		return "strpos(" + column + ", ?) > 0"
	case MySQL:
		return "LOCATE(?, " + column + ") > 0"
	}
	return "instr(" + column + ", ?) > 0"
}

// selected returns the columns of runs as they are read.
func (d Dialect) selected() string {
	c := runColumns
	for _, name := range []string{"fire", "started", "ended"} {
		c = strings.Replace(c, ", "+name+",", ", "+d.column(name)+",", 1)
	}
	return c
}

func (d Dialect) scanRun(rows *sql.Rows) (history.Run, error) {
	var r history.Run
	var fire, started, ended moment
	var trigger, revision, took, late, result int64
	var trace []byte
	err := rows.Scan(&r.Namespace, &r.Job, &r.Shard, &r.Fence, &fire, &trigger, &r.Attempt, &r.Shards, &r.FirstFence,
		&revision, &r.Instance, &started, &ended, &took, &late, &r.Retries, &result, &r.Code, &r.Error, &trace)
	r.Fire = fire.time
	r.Started = started.time
	r.Ended = ended.time
	r.Trigger = uint64(trigger)
	r.Revision = uint64(revision)
	r.Took = time.Duration(took) * time.Microsecond
	r.Late = time.Duration(late) * time.Microsecond
	r.Result = resultOf(result)
	copy(r.Trace[:], trace)
	return r, err
}

// Runs lists attempts.
func (d *DB) Runs(ctx context.Context, q history.RunQuery) (p history.Page[history.Run], err error) {
	if err := q.Check(); err != nil {
		return p, fmt.Errorf("list runs: %w", err)
	}
	id := q.Fingerprint()
	c, err := page.Decode(q.Cursor, id, 3, 1)
	if err != nil {
		return p, fmt.Errorf("list runs: %w: %w", history.ErrQuery, err)
	}
	s, order := d.dialect.runQuery(&q, c)
	query := s.text(d.dialect.selected(), "elastic_run", order, q.Limit+1)
	runs, more, err := list(ctx, d, query, s.args, q.Limit, d.dialect.scanRun)
	if err != nil {
		return p, d.fault("list runs", err)
	}
	at := func(r *history.Run) time.Time { return r.Ended }
	if q.Job != "" {
		at = func(r *history.Run) time.Time { return r.Fire }
	}
	p.Items = runs
	if more {
		last := &runs[len(runs)-1]
		p.Next = page.Cursor{
			Query: id,
			At:    at(last).UnixMicro(),
			Ints:  []int64{int64(last.Trigger), int64(last.Shard), last.Fence},
			Texts: []string{last.Job},
		}.Encode()
	}
	return p, addGaps(ctx, d, &p, c == nil, q.Namespace, q.Since, q.Until, at)
}

// maxGaps bounds the gaps of a page.
const maxGaps = 1000

// addGaps adds the gaps that fall into the time of a page.
func addGaps[T any](
	ctx context.Context,
	d *DB,
	p *history.Page[T],
	first bool,
	namespace string,
	since, until time.Time,
	at func(*T) time.Time,
) error {
	oldest, newest := history.Covered(p, first, since, until, at)
	s := statement{d: d.dialect}
	s.and("ns = ?", namespace)
	if !oldest.IsZero() {
		s.and("to_at >= ?", d.dialect.at(oldest))
	}
	if !newest.IsZero() {
		s.and("from_at <= ?", d.dialect.at(newest))
	}
	columns := "ns, instance, " + d.dialect.column("from_at") + ", " + d.dialect.column("to_at") + ", n, what"
	query := s.text(columns, "elastic_gap", "to_at", maxGaps)
	gaps, _, err := list(ctx, d, query, s.args, maxGaps, func(rows *sql.Rows) (history.Gap, error) {
		var g history.Gap
		var from, to moment
		err := rows.Scan(&g.Namespace, &g.Instance, &from, &to, &g.Count, &g.What)
		g.From, g.To = from.time, to.time
		return g, err
	})
	if err != nil {
		return d.fault("list gaps", err)
	}
	slices.Reverse(gaps) // oldest first
	p.Gaps = gaps
	return nil
}

// Log returns the log of an attempt.
func (d *DB) Log(ctx context.Context, key history.RunKey) (history.Log, error) {
	s := statement{d: d.dialect}
	s.and("ns = ?", key.Namespace)
	s.and("job = ?", key.Job)
	s.and("shard = ?", key.Shard)
	s.and("fence = ?", key.Fence)
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	l := history.Log{RunKey: key}
	var ended moment
	query := s.text(d.dialect.column("ended")+", bytes, gz", "elastic_log", "", 1)
	err := d.db.QueryRowContext(ctx, query, s.args...).Scan(&ended, &l.Bytes, &l.Gzip)
	if errors.Is(err, sql.ErrNoRows) {
		return history.Log{}, fmt.Errorf("read the log of %s: %w", key, history.ErrNotFound)
	}
	l.Ended = ended.time
	return l, d.fault("read the log of "+key.String(), err)
}
