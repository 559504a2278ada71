package sqlhistory_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/historytest"
	"github.com/elasticjob-go/elastic/history/sqlhistory"
	"github.com/elasticjob-go/elastic/history/sqlhistory/internal/dbtest"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// count returns the number of rows of a table.
func count(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	dbtest.Until(t, func(ctx context.Context) error {
		return db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n)
	})
	return n
}

func runsOf(from, to int) history.Batch {
	var b history.Batch
	for n := from; n < to; n++ {
		b.Runs = append(b.Runs, historytest.Sample(n))
	}
	return b
}

// A database that is killed, black-holed and cut off in the middle of writes
// has each row in the end, once, and nothing was dropped.
func TestDB_OutagesLoseNothing(t *testing.T) {
	for name, p := range map[string]*product{"PostgreSQL": postgres, "MariaDB": mariadb} {
		t.Run(name, func(t *testing.T) {
			server := p.start(t)
			proxy := testservers.StartProxy(t, server.Addr())
			db := p.create(t, proxy.Addr())
			d := p.history(t, db, sqlhistory.Options{NoPrune: true})
			rec := history.New(d, history.Options{Spool: filepath.Join(t.TempDir(), "spool")})
			n := 0
			add := func(rows int) {
				for range rows {
					rec.AddRun(historytest.Sample(n))
					n++
				}
			}
			written := func() {
				t.Helper()
				dbtest.Until(t, func(context.Context) error {
					if s := rec.Stats(); s.Written["ok"] != uint64(n) {
						return fmt.Errorf("%d of %d rows are written: %+v", s.Written["ok"], n, s)
					}
					return nil
				})
			}
			for range 3 {
				add(2000)
				server.Kill()
				add(2000)
				server.Start(t)
				add(100)
			}
			written()
			for _, way := range []testservers.Direction{testservers.ToClient, testservers.Both} {
				add(1000)
				proxy.Drop(way) // from the middle of a write on, nothing is answered
				add(1000)
				dbtest.Until(t, func(context.Context) error {
					if rec.Stats().State != history.StateFailing {
						return fmt.Errorf("it does not notice: %+v", rec.Stats())
					}
					return nil
				})
				proxy.Heal()
				written()
			}
			proxy.Hold(testservers.Both) // nothing is lost, and nothing arrives
			add(1000)
			dbtest.Until(t, func(context.Context) error {
				if rec.Stats().State != history.StateFailing {
					return fmt.Errorf("it does not notice: %+v", rec.Stats())
				}
				return nil
			})
			proxy.Heal()
			written()
			if err := rec.Close(context.Background()); err != nil {
				t.Error(err)
			}
			if got := count(t, db, "elastic_run"); got != n {
				t.Errorf("the database has %d rows, want %d", got, n)
			}
			var ok int
			dbtest.Until(t, func(ctx context.Context) error {
				return db.QueryRowContext(ctx, "SELECT sum(ok) FROM elastic_fire").Scan(&ok)
			})
			if ok != n {
				t.Errorf("the fires count %d runs, want %d", ok, n)
			}
		})
	}
}

// A database without tables, or with those of an older program, is not written
// until it is migrated.
func TestDB_OldSchemaIsNotWritten(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		ctx := context.Background()
		db := p.open(t)
		d := sqlhistory.New(db, p.dialect, sqlhistory.Options{NoPrune: true})
		for range 2 {
			err := d.Write(ctx, runsOf(0, 1))
			isClear := errors.Is(err, history.ErrIncompatible) && strings.Contains(err.Error(), "history init")
			if !isClear || history.Refused(err) {
				t.Errorf("write: %v", err)
			}
		}
		if _, err := d.Runs(ctx, history.RunQuery{Namespace: "n", Job: "j"}); !errors.Is(err, history.ErrIncompatible) {
			t.Errorf("read: %v", err)
		}
		if err := d.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		if err := d.Write(ctx, runsOf(0, 1)); err != nil {
			t.Errorf("write after Migrate: %v", err)
		}
		again := sqlhistory.New(p.open(t), p.dialect, sqlhistory.Options{Migrate: true, NoPrune: true})
		if err := again.Write(ctx, runsOf(0, 1)); err != nil {
			t.Errorf("write with Options.Migrate: %v", err)
		}
	})
}

// A schema that a newer program has made is used as it is.
func TestDB_NewSchemaIsUsed(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		ctx := context.Background()
		db := p.open(t)
		p.history(t, db, sqlhistory.Options{NoPrune: true})
		yes := map[sqlhistory.Dialect]string{sqlhistory.SQLite: "1"}[p.dialect]
		if yes == "" {
			yes = "true"
		}
		for _, query := range []string{
			"ALTER TABLE elastic_run ADD COLUMN later integer DEFAULT 7",
			"ALTER TABLE elastic_fire ADD COLUMN later integer",
			"INSERT INTO elastic_schema (version_id, is_applied) VALUES (99, " + yes + ")",
		} {
			if _, err := db.ExecContext(ctx, query); err != nil {
				t.Fatal(err)
			}
		}
		d := sqlhistory.New(db, p.dialect, sqlhistory.Options{Migrate: true, NoPrune: true})
		if err := d.Write(ctx, runsOf(0, 10)); err != nil {
			t.Fatal(err)
		}
		got, err := d.Runs(ctx, history.RunQuery{Namespace: historytest.Namespace, Job: "report"})
		if err != nil || len(got.Items) != 10 {
			t.Errorf("got %d runs, %v", len(got.Items), err)
		}
		if err := d.Migrate(ctx); err != nil {
			t.Errorf("Migrate: %v", err)
		}
	})
}

// Programs that start together migrate once.
func TestDB_MigratesOnce(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		db := p.open(t)
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				d := sqlhistory.New(db, p.dialect, sqlhistory.Options{NoPrune: true})
				if err := d.Migrate(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := count(t, db, "elastic_schema WHERE version_id = 1"); n != 1 {
			t.Errorf("version 1 was applied %d times", n)
		}
	})
}

// The SQL that Schema returns makes what Migrate makes.
func TestSchema_MakesTheTables(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		text, err := sqlhistory.Schema(p.dialect, 0, sqlhistory.Latest)
		if err != nil {
			t.Fatal(err)
		}
		db := p.open(t)
		for _, query := range strings.Split(text, ";\n") {
			if strings.TrimSpace(query) == "" {
				continue
			}
			if _, err := db.Exec(query); err != nil {
				t.Fatalf("%v in %s", err, query)
			}
		}
		d := sqlhistory.New(db, p.dialect, sqlhistory.Options{NoPrune: true})
		if version, err := d.Version(context.Background()); version != sqlhistory.Latest || err != nil {
			t.Errorf("version %d, %v", version, err)
		}
		if err := d.Migrate(context.Background()); err != nil {
			t.Errorf("Migrate: %v", err)
		}
		if err := d.Write(context.Background(), runsOf(0, 10)); err != nil {
			t.Error(err)
		}
	})
	for _, versions := range [][2]int{{-1, 1}, {1, 1}, {0, 99}} {
		if _, err := sqlhistory.Schema(sqlhistory.Postgres, versions[0], versions[1]); err == nil {
			t.Errorf("versions %v: want an error", versions)
		}
	}
}

// A user with the right to read can read. A write of that user is neither the
// fault of the rows nor of the program.
func TestDB_ReadersNeedOnlySelect(t *testing.T) {
	for name, p := range map[string]*product{"PostgreSQL": postgres, "MariaDB": mariadb} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			db := p.open(t)
			d := p.history(t, db, sqlhistory.Options{NoPrune: true})
			if err := d.Write(ctx, runsOf(0, 5)); err != nil {
				t.Fatal(err)
			}
			reader := readOnly(t, p, db)
			r := sqlhistory.New(reader, p.dialect, sqlhistory.Options{})
			got, err := r.Runs(ctx, history.RunQuery{Namespace: historytest.Namespace, Job: "report"})
			if err != nil || len(got.Items) != 5 {
				t.Errorf("got %d runs, %v", len(got.Items), err)
			}
			err = r.Write(ctx, runsOf(5, 6))
			if err == nil || history.Refused(err) || errors.Is(err, history.ErrIncompatible) {
				t.Errorf("write: %v", err)
			}
		})
	}
}

// readOnly returns the database as a user with the right to select.
func readOnly(t *testing.T, p *product, db *sql.DB) *sql.DB {
	t.Helper()
	var name string
	grants := []string{"CREATE ROLE reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"}
	query := "SELECT current_database()"
	if p == mariadb {
		grants = []string{"CREATE USER reader@'%'", "GRANT SELECT ON *.* TO reader@'%'"}
		query = "SELECT database()"
	}
	if err := db.QueryRow(query).Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, grant := range grants {
		if _, err := db.Exec(grant); err != nil && !strings.Contains(err.Error(), "exists") &&
			!strings.Contains(err.Error(), "CREATE USER failed") {
			t.Fatal(err)
		}
	}
	driver, source := p.dsn(p.server.Addr(), name)
	source = strings.Replace(strings.Replace(source, "//elastic@", "//reader@", 1), "root@", "reader@", 1)
	return p.connect(t, driver, source)
}

// A file that is full, or cannot be written, is not the fault of the rows. When
// there is room again, writing goes on.
func TestDB_FullFile(t *testing.T) {
	ctx := context.Background()
	db := sqlite.open(t)
	db.SetMaxOpenConns(1) // the limit is one of the connection
	d := sqlite.history(t, db, sqlhistory.Options{NoPrune: true})
	limit := func(pages int) {
		if _, err := db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	var err error
	n := 0
	for ; n < 5000 && err == nil; n += 100 {
		err = d.Write(ctx, runsOf(n, n+100))
	}
	if err == nil || history.Refused(err) || errors.Is(err, history.ErrIncompatible) {
		t.Fatalf("a full file: %v", err)
	}
	limit(100_000)
	if err := d.Write(ctx, runsOf(n-100, n)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := count(t, db, "elastic_run"); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
}

// Two runs with one key and different contents are counted.
func TestDB_CountsCollisions(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		d := p.history(t, p.open(t), sqlhistory.Options{NoPrune: true})
		b := runsOf(0, 5)
		for range 2 { // the same rows again are no collision
			if err := d.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		if n := d.Stats().Collisions; n != 0 {
			t.Errorf("%d collisions of equal rows", n)
		}
		b.Runs[1].Instance = "another@1"
		b.Runs[3].Result = failover.ResultLost
		if err := d.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if n := d.Stats().Collisions; n != 2 {
			t.Errorf("%d collisions, want 2", n)
		}
	})
}

// A password in a data source is in no error.
func TestDB_HidesPasswords(t *testing.T) {
	const secret = "hunter2-p%40ss"
	for _, row := range []struct {
		p              *product
		driver, source string
	}{
		{postgres, "pgx", "postgres://ada:" + secret + "@127.0.0.1:1/history?connect_timeout=2"},
		{postgres, "pgx", "postgres://ada:" + secret + "@127.0.0.1:port/history"},
		{postgres, "pgx", "host=127.0.0.1 port=1 user=ada password=" + secret + " sslmode=sometimes"},
		{mariadb, "mysql", "ada:" + secret + "@tcp(127.0.0.1:1)/history"},
		{sqlite, "sqlite", "file:/nowhere/" + "db?password=" + secret},
	} {
		db, err := sql.Open(row.driver, row.source)
		if err != nil {
			continue // the program sees it before this package does
		}
		defer func() { _ = db.Close() }()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		d := sqlhistory.New(db, row.p.dialect, sqlhistory.Options{Migrate: true})
		_, readErr := d.Runs(ctx, history.RunQuery{Namespace: "n", Job: "j"})
		for _, err := range []error{d.Write(ctx, runsOf(0, 1)), d.Migrate(ctx), readErr} {
			if err == nil {
				t.Errorf("%s: no error", row.source)
				continue
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v %q", err, err, err)} {
				if strings.Contains(text, "hunter2") {
					t.Errorf("the password is in %s", text)
				}
			}
		}
	}
}
