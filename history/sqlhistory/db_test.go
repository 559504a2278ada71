package sqlhistory_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/historytest"
	"github.com/elasticjob-go/elastic/history/sqlhistory"
	"github.com/elasticjob-go/elastic/history/sqlhistory/internal/dbtest"
)

// product is a kind of database that is tested.
type product struct {
	dialect sqlhistory.Dialect
	start   func(testing.TB) *dbtest.Server // nil: there is no server

	once   sync.Once
	server *dbtest.Server // shared by the tests that do not harm it
}

var (
	postgres = &product{dialect: sqlhistory.Postgres, start: dbtest.Postgres}
	mariadb  = &product{dialect: sqlhistory.MySQL, start: dbtest.MariaDB}
	sqlite   = &product{dialect: sqlhistory.SQLite}
	products = map[string]*product{"PostgreSQL": postgres, "MariaDB": mariadb, "SQLite": sqlite}
)

// keeper ends the shared servers when all tests have ended.
type keeper struct {
	testing.TB
	cleanups []func()
}

func (k *keeper) Cleanup(f func()) { k.cleanups = append(k.cleanups, f) }
func (k *keeper) end() {
	for i := len(k.cleanups) - 1; i >= 0; i-- {
		k.cleanups[i]()
	}
}

var shared keeper

func TestMain(m *testing.M) {
	m.Run()
	shared.end()
}

var databases atomic.Int64

// dsn returns the driver and the data source of a database on an address.
func (p *product) dsn(addr, name string) (driver, source string) {
	if p == postgres {
		return "pgx", "postgres://elastic@" + addr + "/" + name + "?sslmode=disable&connect_timeout=5"
	}
	return "mysql", "root@tcp(" + addr + ")/" + name + "?timeout=5s"
}

// open returns a new, empty database.
func (p *product) open(t testing.TB) *sql.DB {
	t.Helper()
	if p.start == nil {
		return p.connect(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "history.db"))
	}
	p.once.Do(func() {
		shared.TB = t
		p.server = p.start(&shared)
	})
	if p.server == nil {
		t.Skip("the server is not installed")
	}
	return p.create(t, p.server.Addr())
}

// create makes a database on a server.
func (p *product) create(t testing.TB, addr string) *sql.DB {
	t.Helper()
	name := fmt.Sprintf("h%d", databases.Add(1))
	admin := map[*product]string{postgres: "postgres", mariadb: "mysql"}[p]
	driver, source := p.dsn(addr, admin)
	db := p.connect(t, driver, source)
	dbtest.Until(t, func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "CREATE DATABASE "+name)
		if err != nil && strings.Contains(err.Error(), "exists") {
			return nil
		}
		return err
	})
	driver, source = p.dsn(addr, name)
	return p.connect(t, driver, source)
}

func (p *product) connect(t testing.TB, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// forEach runs a test on each kind of database.
func forEach(t *testing.T, test func(t *testing.T, p *product)) {
	for name, p := range products {
		t.Run(name, func(t *testing.T) { test(t, p) })
	}
}

// history returns a history in a database, with its tables.
func (p *product) history(t testing.TB, db *sql.DB, o sqlhistory.Options) *sqlhistory.DB {
	t.Helper()
	d := sqlhistory.New(db, p.dialect, o)
	t.Cleanup(d.Close)
	if err := d.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDB_Conforms(t *testing.T) {
	forEach(t, func(t *testing.T, p *product) {
		historytest.Run(t, func(t *testing.T) history.Sink {
			return p.history(t, p.open(t), sqlhistory.Options{NoPrune: true})
		})
	})
}
