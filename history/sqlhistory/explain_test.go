package sqlhistory_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/sqlhistory"
)

var explainRows = flag.Int("history.rows", 20_000, "how many runs the database has whose queries are explained")

// filled is the namespace of the rows that the database makes itself: 50 jobs
// of 100 shards, a fire each minute, one failure in a hundred, and 100
// instances.
const filled = "filled"

// fill makes the database insert rows by itself, which is quick, and returns
// the time of the newest fire.
func fill(t testing.TB, p *product, db *sql.DB, rows int) time.Time {
	t.Helper()
	newest := time.Now().UTC().Truncate(time.Minute)
	series := map[sqlhistory.Dialect]string{
		sqlhistory.Postgres: "generate_series(0, %d) AS g(n)",
		sqlhistory.MySQL:    "(SELECT seq AS n FROM seq_0_to_%d) AS g",
		sqlhistory.SQLite: "(WITH RECURSIVE g(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < %d) " +
			"SELECT n FROM g) AS g",
	}[p.dialect]
	d := map[sqlhistory.Dialect]map[string]string{
		sqlhistory.Postgres: {
			"fire":  "TIMESTAMPTZ '" + newest.Format("2006-01-02 15:04:05+00") + "' - (n / 5000) * INTERVAL '1 minute'",
			"plus":  "%s + (n %% 50) * INTERVAL '1 second'",
			"text":  "CAST(%s AS text)",
			"div":   "n / 100 % 50",
			"trace": "NULL::bytea",
		},
		sqlhistory.MySQL: {
			"fire":  "TIMESTAMP '" + newest.Format("2006-01-02 15:04:05") + "' - INTERVAL (n DIV 5000) MINUTE",
			"plus":  "%s + INTERVAL (n %% 50) SECOND",
			"text":  "%s",
			"div":   "n DIV 100 % 50",
			"trace": "NULL",
		},
		sqlhistory.SQLite: {
			"fire":  fmt.Sprintf("%d - n / 5000 * 60000000", newest.UnixMicro()),
			"plus":  "%s + n %% 50 * 1000000",
			"text":  "CAST(%s AS TEXT)",
			"div":   "n / 100 % 50",
			"trace": "NULL",
		},
	}[p.dialect]
	join := func(a, b string) string {
		if p.dialect == sqlhistory.MySQL {
			return "CONCAT(" + a + ", " + b + ")"
		}
		return a + " || " + b
	}
	job := join("'job-'", fmt.Sprintf(d["text"], d["div"]))
	instance := join("'host-'", fmt.Sprintf(d["text"], "n % 100"))
	started := fmt.Sprintf(d["plus"], d["fire"])
	result := "CASE WHEN n % 100 = 7 THEN 2 ELSE 0 END"
	columns := "ns, job, shard, fence, fire, trig, attempt, total, first_fence, rev, instance, started, ended, " +
		"took_us, late_us, retries, result, code, error, trace"
	values := []string{"'" + filled + "'", job, "n % 100", "1700000000000 + n", d["fire"], "0", "1", "100",
		"1700000000000 + n", "1", instance, started, started, "1500", "20", "0", result, "''",
		"CASE WHEN n % 100 = 7 THEN 'no paper' ELSE '' END", d["trace"]}
	queries := []string{
		"INSERT INTO elastic_run (" + columns + ") SELECT " + strings.Join(values, ", ") + " FROM " +
			fmt.Sprintf(series, rows-1),
		`INSERT INTO elastic_fire (ns, job, fire, trig, total, ok, failed, skipped, lost, other, first_start, last_end)
			SELECT ns, job, fire, trig, max(total), sum(CASE WHEN result = 0 THEN 1 ELSE 0 END),
			sum(CASE WHEN result = 2 THEN 1 ELSE 0 END), 0, 0, 0, min(started), max(ended)
			FROM elastic_run GROUP BY ns, job, fire, trig`,
	}
	switch {
	case p.dialect == sqlhistory.Postgres:
		queries = append(queries, "VACUUM ANALYZE")
	case p.dialect == sqlhistory.MySQL:
		queries = append(queries, "ANALYZE TABLE elastic_run", "ANALYZE TABLE elastic_fire")
	case rows >= 100_000: // of a small table it would learn that a scan is cheaper
		queries = append(queries, "ANALYZE")
	}
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%v in %s", err, q)
		}
	}
	return newest
}

// asked are the queries that pages of history make.
func asked(newest time.Time) map[string]func(ctx context.Context, r history.Reader) (int, error) {
	list := func(q history.RunQuery) func(ctx context.Context, r history.Reader) (int, error) {
		q.Namespace = filled
		return func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Runs(ctx, q)
			if err != nil || p.Next == "" {
				return len(p.Items), err
			}
			q := q
			q.Cursor = p.Next
			next, err := r.Runs(ctx, q)
			return len(p.Items) + len(next.Items), err
		}
	}
	bad := []failover.Result{failover.ResultFailed, failover.ResultLost}
	day := newest.Add(-24 * time.Hour)
	end := newest.Add(time.Hour)
	old := newest.Add(-2 * time.Minute)
	return map[string]func(ctx context.Context, r history.Reader) (int, error){
		"runs of a job":          list(history.RunQuery{Job: "job-7"}),
		"runs of a fire":         list(history.RunQuery{Job: "job-7", Fire: old, Limit: 1000}),
		"a job between times":    list(history.RunQuery{Job: "job-7", Since: day, Until: old}),
		"failures of a day":      list(history.RunQuery{Results: bad, Since: day, Until: end}),
		"an instance's hour":     list(history.RunQuery{Instance: "host-7", Since: newest.Add(-time.Hour), Until: end}),
		"all of an hour":         list(history.RunQuery{Since: newest.Add(-time.Hour), Until: end}),
		"errors of a fire":       list(history.RunQuery{Job: "job-0", Fire: old, ErrorHas: "paper"}),
		"failures by their text": list(history.RunQuery{Results: bad, ErrorHas: "paper", Since: day, Until: end}),
		"fires of a job": func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Fires(ctx, history.FireQuery{Namespace: filled, Job: "job-7"})
			return len(p.Items), err
		},
		"histogram of a day": func(ctx context.Context, r history.Reader) (int, error) {
			b, err := r.Histogram(ctx, history.HistogramQuery{
				Namespace: filled,
				Job:       "job-7",
				Since:     day,
				Until:     end,
				Buckets:   50,
			})
			return len(b), err
		},
		"missed fires of a job": func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Missed(ctx, history.MissedQuery{Namespace: filled, Job: "job-7"})
			return len(p.Items) + 1, err
		},
		"missed fires of a day": func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Missed(ctx, history.MissedQuery{Namespace: filled, Since: day, Until: end})
			return len(p.Items) + 1, err
		},
		"events of a day": func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Events(ctx, history.EventQuery{Namespace: filled, Since: day, Until: end})
			return len(p.Items) + 1, err
		},
		"audit of a day": func(ctx context.Context, r history.Reader) (int, error) {
			p, err := r.Audit(ctx, history.AuditQuery{Namespace: filled, Since: day, Until: end})
			return len(p.Items) + 1, err
		},
	}
}

// Each query uses an index: none scans a table. Their times are logged.
func TestQueries_UseTheirIndexes(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		db := p.open(t)
		d := p.history(t, db, sqlhistory.Options{NoPrune: true})
		began := time.Now()
		newest := fill(t, p, db, *explainRows)
		t.Logf("%d rows made in %s", *explainRows, time.Since(began).Round(time.Second))
		ctx := context.Background()
		queries := asked(newest)
		names := make([]string, 0, len(queries))
		for name := range queries {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			ask := queries[name]
			n, err := ask(ctx, d) // warm
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if n == 0 {
				t.Errorf("%s: it returns nothing, so it shows nothing", name)
			}
			var times []time.Duration
			for range 20 {
				began := time.Now()
				if _, err := ask(ctx, d); err != nil {
					t.Fatal(err)
				}
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			t.Logf("%-24s %4d rows, p50 %8s, p95 %8s", name, n, times[10].Round(10*time.Microsecond),
				times[18].Round(10*time.Microsecond))
		}
		for _, plan := range sqlhistory.Plans(t, d, filled, newest) {
			if *explainRows < 100_000 && strings.HasPrefix(plan.Name, "all of an hour") {
				continue // these are all rows, which are best read in one go
			}
			if plan.Scans {
				t.Errorf("%s scans a table:\n%s\n%s", plan.Name, plan.Query, plan.Text)
			}
		}
	})
}

// A batch has 500 runs, all of them new.
func BenchmarkWrite(b *testing.B) {
	for name, p := range products {
		b.Run(name, func(b *testing.B) {
			d := p.history(b, p.open(b), sqlhistory.Options{NoPrune: true})
			n := 0
			for b.Loop() {
				if err := d.Write(context.Background(), runsOf(n, n+500)); err != nil {
					b.Fatal(err)
				}
				n += 500
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
