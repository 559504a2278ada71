package sqlhistory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/internal/page"
)

// Plan is how a database answers a query.
type Plan struct {
	Name, Query, Text string
	Scans             bool // it reads a whole table
}

// Plans explains the queries of this package, first pages and later ones.
func Plans(t *testing.T, d *DB, namespace string, newest time.Time) []Plan {
	t.Helper()
	day, end := newest.Add(-24*time.Hour), newest.Add(time.Hour)
	bad := []failover.Result{failover.ResultFailed, failover.ResultLost}
	cursor := &page.Cursor{At: newest.UnixMicro(), Ints: []int64{0, 50, 1_700_000_000_050}, Texts: []string{"job-7"}}
	var plans []Plan
	explain := func(name, query string, args []any) {
		text := d.explain(t, query, args)
		plans = append(plans, Plan{name, query, text, d.dialect.scans(text)})
	}
	for name, q := range map[string]history.RunQuery{
		"runs of a job":       {Job: "job-7"},
		"runs of a fire":      {Job: "job-7", Fire: newest},
		"a job between times": {Job: "job-7", Since: day, Until: end},
		"failures of a day":   {Results: bad, Since: day, Until: end},
		"an instance's hour":  {Instance: "host-7", Since: newest.Add(-time.Hour), Until: end},
		"all of an hour":      {Since: newest.Add(-time.Hour), Until: end},
	} {
		q.Namespace = namespace
		for i, c := range []*page.Cursor{nil, cursor} {
			s, order := d.dialect.runQuery(&q, c)
			query := s.text(d.dialect.selected(), "elastic_run", order, 51)
			explain(fmt.Sprintf("%s, page %d", name, i+1), query, s.args)
		}
	}
	for i, c := range []*page.Cursor{nil, {At: newest.UnixMicro(), Ints: []int64{0}, Texts: []string{"x"}}} {
		page := fmt.Sprintf(", page %d", i+1)
		s, columns, order := d.dialect.fireQuery(&history.FireQuery{Namespace: namespace, Job: "job-7"}, c)
		explain("fires of a job"+page, s.text(columns, "elastic_fire", order, 51), s.args)
		s, columns, order = d.dialect.missedQuery(&history.MissedQuery{Namespace: namespace, Job: "job-7"}, c)
		explain("missed fires of a job"+page, s.text(columns, "elastic_missed", order, 51), s.args)
		s, columns, order = d.dialect.missedQuery(&history.MissedQuery{Namespace: namespace, Since: day, Until: end}, c)
		explain("missed fires of a day"+page, s.text(columns, "elastic_missed", order, 51), s.args)
		s, columns, order = d.dialect.eventQuery(&history.EventQuery{Namespace: namespace, Since: day, Until: end}, c)
		explain("events of a day"+page, s.text(columns, "elastic_event", order, 51), s.args)
		s, columns, order = d.dialect.auditQuery(&history.AuditQuery{Namespace: namespace, Since: day, Until: end}, c)
		explain("audit of a day"+page, s.text(columns, "elastic_audit", order, 51), s.args)
	}
	query, args := d.dialect.histogramQuery(&history.HistogramQuery{
		Namespace: namespace,
		Job:       "job-7",
		Since:     day,
		Until:     end,
		Buckets:   50,
	})
	explain("histogram of a day", query, args)
	return plans
}

func (d *DB) explain(t *testing.T, query string, args []any) string {
	t.Helper()
	verb := map[Dialect]string{Postgres: "EXPLAIN ", MySQL: "EXPLAIN ", SQLite: "EXPLAIN QUERY PLAN "}[d.dialect]
	conn, err := d.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if d.dialect == Postgres { // it scans small tables even if there is an index
		if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.QueryContext(t.Context(), verb+query, args...)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			v := *(v.(*any))
			if text, ok := v.([]byte); ok {
				v = string(text)
			}
			fmt.Fprintf(&b, "%s=%v ", columns[i], v)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// scans reports whether a plan reads a whole table or index.
func (d Dialect) scans(plan string) bool {
	switch d {
	case Postgres:
		return strings.Contains(plan, "Seq Scan")
	case MySQL:
		return strings.Contains(plan, "type=ALL") || strings.Contains(plan, "type=index ") ||
			strings.Contains(plan, "table=elastic_run ") && strings.Contains(plan, "filesort")
	}
	// A sort of the whole range reads all of it for one page. With one
	// namespace SQLite can prefer that for an instance, which has few rows.
	sorts := strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") && !strings.Contains(plan, "ANY(ns)")
	return strings.Contains(plan, "SCAN ") || sorts
}
