package sqlhistory

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/internal/page"
)

// Fires lists the fires of a job.
func (d *DB) Fires(ctx context.Context, q history.FireQuery) (p history.Page[history.Fire], err error) {
	if err := q.Check(); err != nil {
		return p, fmt.Errorf("list fires: %w", err)
	}
	id := page.Fingerprint("fires", q.Namespace, q.Job, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 0)
	if err != nil {
		return p, fmt.Errorf("list fires: %w: %w", history.ErrQuery, err)
	}
	s, columns, order := d.dialect.fireQuery(&q, c)
	fires, more, err := list(ctx, d, s.text(columns, "elastic_fire", order, q.Limit+1), s.args, q.Limit,
		func(rows *sql.Rows) (history.Fire, error) {
			f := history.Fire{Namespace: q.Namespace, Job: q.Job}
			var fire, first, last moment
			var trigger int64
			err := rows.Scan(&fire, &trigger, &f.Shards, &f.OK, &f.Failed, &f.Skipped, &f.Lost, &f.Other, &first, &last)
			f.Fire = fire.time
			f.FirstStart = first.time
			f.LastEnd = last.time
			f.Trigger = uint64(trigger)
			return f, err
		})
	if err != nil {
		return p, d.fault("list fires", err)
	}
	p.Items = fires
	if more {
		last := &fires[len(fires)-1]
		p.Next = page.Cursor{Query: id, At: last.Fire.UnixMicro(), Ints: []int64{int64(last.Trigger)}}.Encode()
	}
	at := func(f *history.Fire) time.Time { return f.Fire }
	return p, addGaps(ctx, d, &p, c == nil, q.Namespace, q.Since, q.Until, at)
}

func (d Dialect) fireQuery(q *history.FireQuery, c *page.Cursor) (s statement, columns, order string) {
	s = statement{d: d}
	s.and("ns = ?", q.Namespace)
	s.and("job = ?", q.Job)
	s.between("fire", q.Since, q.Until)
	order = "fire, trig"
	if c != nil {
		s.after(c, order, c.Ints[0])
	}
	columns = d.column("fire") + ", trig, total, ok, failed, skipped, lost, other, " + d.column("first_start") + ", " +
		d.column("last_end")
	return s, columns, order
}

// Missed lists fires that were not run.
func (d *DB) Missed(ctx context.Context, q history.MissedQuery) (p history.Page[history.Missed], err error) {
	if err := q.Check(); err != nil {
		return p, fmt.Errorf("list missed fires: %w", err)
	}
	id := page.Fingerprint("missed", q.Namespace, q.Job, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 1)
	if err != nil {
		return p, fmt.Errorf("list missed fires: %w: %w", history.ErrQuery, err)
	}
	s, columns, order := d.dialect.missedQuery(&q, c)
	missed, more, err := list(ctx, d, s.text(columns, "elastic_missed", order, q.Limit+1), s.args, q.Limit,
		func(rows *sql.Rows) (history.Missed, error) {
			m := history.Missed{Namespace: q.Namespace}
			var first, last, seen moment
			var more int
			err := rows.Scan(&m.Job, &first, &m.Shard, &m.Shards, &last, &m.Count, &more, &m.Code, &m.Instance, &seen)
			m.First = first.time
			m.Last = last.time
			m.Seen = seen.time
			m.More = more != 0
			return m, err
		})
	if err != nil {
		return p, d.fault("list missed fires", err)
	}
	p.Items = missed
	if more {
		last := &missed[len(missed)-1]
		p.Next = page.Cursor{
			Query: id,
			At:    last.First.UnixMicro(),
			Ints:  []int64{int64(last.Shard)},
			Texts: []string{last.Job},
		}.Encode()
	}
	at := func(m *history.Missed) time.Time { return m.First }
	return p, addGaps(ctx, d, &p, c == nil, q.Namespace, q.Since, q.Until, at)
}

func (d Dialect) missedQuery(q *history.MissedQuery, c *page.Cursor) (s statement, columns, order string) {
	s = statement{d: d}
	s.and("ns = ?", q.Namespace)
	order = "first_fire, job, shard"
	if q.Job != "" {
		s.and("job = ?", q.Job)
	}
	s.between("first_fire", q.Since, q.Until)
	if c != nil {
		s.after(c, order, c.Texts[0], c.Ints[0])
	}
	columns = "job, " + d.column("first_fire") + ", shard, shards, " + d.column("last_fire") +
		", n, more, code, instance, " + d.column("seen")
	return s, columns, order
}

// Events lists events of instances.
func (d *DB) Events(ctx context.Context, q history.EventQuery) (p history.Page[history.Event], err error) {
	if err := q.Check(); err != nil {
		return p, fmt.Errorf("list events: %w", err)
	}
	id := page.Fingerprint("events", q.Namespace, q.Instance, q.Kinds, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 1)
	if err != nil {
		return p, fmt.Errorf("list events: %w: %w", history.ErrQuery, err)
	}
	s, columns, order := d.dialect.eventQuery(&q, c)
	events, more, err := list(ctx, d, s.text(columns, "elastic_event", order, q.Limit+1), s.args, q.Limit,
		func(rows *sql.Rows) (history.Event, error) {
			e := history.Event{Namespace: q.Namespace}
			var at moment
			var seq int64
			err := rows.Scan(&at, &e.Instance, &seq, &e.Kind, &e.Job, &e.Shard, &e.Code, &e.Subject, &e.Detail)
			e.At, e.Seq = at.time, uint64(seq)
			return e, err
		})
	if err != nil {
		return p, d.fault("list events", err)
	}
	p.Items = events
	if more {
		last := &events[len(events)-1]
		p.Next = page.Cursor{
			Query: id,
			At:    last.At.UnixMicro(),
			Ints:  []int64{int64(last.Seq)},
			Texts: []string{last.Instance},
		}.Encode()
	}
	at := func(e *history.Event) time.Time { return e.At }
	return p, addGaps(ctx, d, &p, c == nil, q.Namespace, q.Since, q.Until, at)
}

func (d Dialect) eventQuery(q *history.EventQuery, c *page.Cursor) (s statement, columns, order string) {
	s = statement{d: d}
	s.and("ns = ?", q.Namespace)
	s.between("at", q.Since, q.Until)
	order = "at, instance, seq"
	if c != nil {
		s.after(c, order, c.Texts[0], c.Ints[0])
	}
	if q.Instance != "" {
		s.and("instance = ?", q.Instance)
	}
	if len(q.Kinds) > 0 {
		in(&s, "kind", q.Kinds)
	}
	return s, d.column("at") + ", instance, seq, kind, job, shard, code, subject, detail", order
}

// Audit lists changes that operators made.
func (d *DB) Audit(ctx context.Context, q history.AuditQuery) (p history.Page[history.Audit], err error) {
	if err := q.Check(); err != nil {
		return p, fmt.Errorf("list the audit: %w", err)
	}
	id := page.Fingerprint("audit", q.Namespace, q.Target, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 0, 1)
	if err != nil {
		return p, fmt.Errorf("list the audit: %w: %w", history.ErrQuery, err)
	}
	s, columns, order := d.dialect.auditQuery(&q, c)
	audit, more, err := list(ctx, d, s.text(columns, "elastic_audit", order, q.Limit+1), s.args, q.Limit,
		func(rows *sql.Rows) (history.Audit, error) {
			a := history.Audit{Namespace: q.Namespace}
			var at moment
			err := rows.Scan(&a.ID, &at, &a.By, &a.Via, &a.Act, &a.Target, &a.Why, &a.Detail)
			a.At = at.time
			return a, err
		})
	if err != nil {
		return p, d.fault("list the audit", err)
	}
	p.Items = audit
	if more {
		last := &audit[len(audit)-1]
		p.Next = page.Cursor{Query: id, At: last.At.UnixMicro(), Texts: []string{last.ID}}.Encode()
	}
	at := func(a *history.Audit) time.Time { return a.At }
	return p, addGaps(ctx, d, &p, c == nil, q.Namespace, q.Since, q.Until, at)
}

func (d Dialect) auditQuery(q *history.AuditQuery, c *page.Cursor) (s statement, columns, order string) {
	s = statement{d: d}
	s.and("ns = ?", q.Namespace)
	s.between("at", q.Since, q.Until)
	order = "at, id"
	if c != nil {
		s.after(c, order, c.Texts[0])
	}
	if q.Target != "" {
		s.and("target = ?", q.Target)
	}
	return s, "id, " + d.column("at") + ", actor, via, act, target, why, detail", order
}

// Histogram counts the attempts of a job.
func (d *DB) Histogram(ctx context.Context, q history.HistogramQuery) ([]history.Bucket, error) {
	if err := q.Check(); err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	query, args := d.dialect.histogramQuery(&q)
	buckets, _, err := list(ctx, d, query, args, q.Buckets, func(rows *sql.Rows) (history.Bucket, error) {
		var n int64
		var b history.Bucket
		err := rows.Scan(&n, &b.OK, &b.Failed, &b.Skipped, &b.Lost, &b.Other)
		b.Start = q.Since.Add(time.Duration(n) * q.Width())
		b.End = b.Start.Add(q.Width())
		return b, err
	})
	return buckets, d.fault("count runs", err)
}

func (d Dialect) histogramQuery(q *history.HistogramQuery) (string, []any) {
	number := "(fire - ?) / ?"
	switch d {
	case Postgres: // a span of 92 days in microseconds is exact as a double
		number = "CAST(floor(extract(epoch FROM (fire - CAST(? AS timestamptz))) * 1000000 / CAST(? AS bigint)) " +
			"AS bigint)"
	case MySQL:
		number = "TIMESTAMPDIFF(MICROSECOND, ?, fire) DIV ?"
	}
	s := statement{d: d, args: []any{d.at(q.Since), q.Width().Microseconds()}}
	s.and("ns = ?", q.Namespace)
	s.and("job = ?", q.Job)
	s.between("fire", q.Since, q.Until)
	columns := number + " AS bucket, sum(ok), sum(failed), sum(skipped), sum(lost), sum(other)"
	query := s.text(columns, "elastic_fire", "", 0)
	return query + " GROUP BY bucket ORDER BY bucket", s.args
}
