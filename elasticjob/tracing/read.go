package tracing

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
	"github.com/elasticjob-go/elastic/store"
)

const (
	executionTable = "JOB_EXECUTION_LOG"
	statusTable    = "JOB_STATUS_TRACE_LOG"

	pageRows = 5000

	// maxItem is the greatest number of a shard.
	maxItem = 1_000_000
)

// clock tells how the times of a column are meant.
type clock struct {
	zone *time.Location // of a column that holds what a wall clock shows; nil for moments
	step time.Duration  // the precision
}

// moment returns the moment of a value of the column.
func (c clock) moment(t time.Time) time.Time {
	if c.zone != nil && !t.IsZero() {
		y, m, d := t.Date()
		t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), c.zone)
	}
	return years.Clamp(t).Truncate(time.Microsecond)
}

// value returns the value of the column at a moment.
func (c clock) value(t time.Time) time.Time {
	if c.zone == nil {
		return t.UTC()
	}
	t = t.In(c.zone)
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// clock asks the database for the type of a column of times.
func (s *Source) clock(ctx context.Context, table, column string, zone *time.Location) (clock, error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, "SELECT "+column+" FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return clock{}, s.fault("read table "+table+"; name the database that the tracing of ElasticJob writes to", err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return clock{}, s.fault("read table "+table, err)
	}
	name := types[0].DatabaseTypeName()
	c := clock{step: time.Millisecond} // of Java's dates
	if digits, _, ok := types[0].DecimalSize(); ok && digits == 0 && s.dialect == dialectMySQL {
		c.step = time.Second
	}
	if name == "DATETIME" || name == "TIMESTAMP" && s.dialect == dialectPostgres {
		if zone == nil {
			return clock{}, fmt.Errorf("%w: column %s of %s holds what the clocks of the JVMs showed; "+
				"say in which time zone: --zone Asia/Shanghai", store.ErrInvalid, column, table)
		}
		c.zone = zone
	}
	return c, nil
}

// bind replaces each ? by the placeholder of the database. The statements have
// no other question marks.
func (s *Source) bind(query string) string {
	if s.dialect == dialectMySQL {
		return query
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}

// position is a place in a table: behind the row with this time and ID.
type position struct {
	value time.Time // as the column has it
	id    string
}

// scanned is a row as it was read. An empty why means that it can be used.
type scanned[T any] struct {
	row T
	at  position
	why string
}

// page reads rows of a table in a transaction of its own, in the order of time
// and ID. scan reads one row and returns its columns' values.
func page[T any](
	ctx context.Context, s *Source, table, columns, where string, column string, after position,
	scan func(rows *sql.Rows) (scanned[T], error),
) (list []scanned[T], err error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	fault := func(err error) error { return s.fault("read table "+table, err) }
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fault(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s%s >= ? AND (%s > ? OR id > ?) ORDER BY %s, id LIMIT %d",
		columns, table, where, column, column, column, pageRows)
	rows, err := tx.QueryContext(ctx, s.bind(query), after.value, after.value, after.id)
	if err != nil {
		return nil, fault(err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, fault(err)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fault(err)
	}
	return list, nil
}

const executionColumns = "id, job_name, task_id, ip, sharding_item, execution_source, LEFT(failure_cause, 4096), " +
	"is_success, start_time, complete_time"

// executions reads a page of runs.
func (s *Source) executions(ctx context.Context, c clock, after position) ([]scanned[execution], error) {
	return page(ctx, s, executionTable, executionColumns, "", "start_time", after,
		func(rows *sql.Rows) (r scanned[execution], err error) {
			var cause, source sql.NullString
			var success, started, ended any
			e := &r.row
			err = rows.Scan(&e.id, &e.job, &e.task, &e.ip, &e.item, &source, &cause, &success, &started, &ended)
			if err != nil {
				return r, err
			}
			e.source, e.cause = source.String, cause.String
			e.succeeded = isTrue(success)
			begin, ok := started.(time.Time)
			r.at = position{begin, e.id}
			e.started = c.moment(begin)
			switch end := ended.(type) {
			case nil:
			case time.Time:
				e.ended = c.moment(end)
			default:
				ok = false
			}
			switch {
			case !ok:
				r.why = "its times can't be read"
			case e.item < 0 || e.item > maxItem:
				r.why = fmt.Sprintf("sharding_item is %d", e.item)
			}
			return r, nil
		})
}

// statusRows leaves out what every run writes: the message of TASK_STAGING says
// that the job begins.
const statusRows = "message IS NOT NULL AND message <> '' AND state <> 'TASK_STAGING' AND "

const statusColumns = "id, job_name, task_id, slave_id, sharding_item, state, LEFT(message, 4096), creation_time"

// statuses reads a page of the rows that have a message. The column source is
// not read: ElasticJob 3.0.5 has removed it.
func (s *Source) statuses(ctx context.Context, c clock, after position) ([]scanned[status], error) {
	return page(ctx, s, statusTable, statusColumns, statusRows, "creation_time", after,
		func(rows *sql.Rows) (r scanned[status], err error) {
			var created any
			e := &r.row
			err = rows.Scan(&e.id, &e.job, &e.task, &e.ip, &e.items, &e.state, &e.message, &created)
			at, ok := created.(time.Time)
			r.at = position{at, e.id}
			e.created = c.moment(at)
			if !ok {
				r.why = "its time can't be read"
			}
			return r, err
		})
}

// isTrue reads a column that is a number or a boolean.
func isTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case []byte:
		return isTrue(string(v))
	case string:
		return v == "1" || v == "t" || v == "true" || v == "\x01"
	}
	return false
}
