package tracing

import (
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// password is a hard one for URLs, so that errors are searched for it.
const password = "hunter2/b%"

// product is a kind of database.
type product struct {
	scheme  string
	start   func(t testing.TB, password string) *testservers.Database
	boolean string // the type of is_success

	once   sync.Once
	server *testservers.Database
}

var products = []*product{
	{scheme: "mysql", start: testservers.StartMariaDB, boolean: "INT"},
	{scheme: "postgres", start: testservers.StartPostgres, boolean: "BOOLEAN"},
}

// keeper keeps the servers until all tests have ended.
type keeper struct {
	testing.TB
	cleanups []func()
}

func (k *keeper) Cleanup(f func()) { k.cleanups = append(k.cleanups, f) }

var kept keeper

func TestMain(m *testing.M) {
	m.Run()
	for len(kept.cleanups) > 0 {
		last := len(kept.cleanups) - 1
		kept.cleanups[last]()
		kept.cleanups = kept.cleanups[:last]
	}
}

// open returns a database with the tables of ElasticJob 3.0.5, empty, and its
// data source.
func (p *product) open(t *testing.T) (*Source, string) {
	t.Helper()
	p.once.Do(func() {
		kept.TB = t
		p.server = p.start(&kept, password)
	})
	if p.server == nil {
		t.Skip("the server is not installed, or did not start")
	}
	s, err := Open(t.Context(), p.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, table := range []string{executionTable, statusTable} {
		must(t, s.db, "DROP TABLE IF EXISTS "+table)
	}
	must(t, s.db, "CREATE TABLE JOB_EXECUTION_LOG (id VARCHAR(40) NOT NULL, job_name VARCHAR(100) NOT NULL, "+
		"task_id VARCHAR(255) NOT NULL, hostname VARCHAR(255) NOT NULL, ip VARCHAR(50) NOT NULL, "+
		"sharding_item INT NOT NULL, execution_source VARCHAR(20) NOT NULL, failure_cause VARCHAR(4000) NULL, "+
		"is_success "+p.boolean+" NOT NULL, start_time TIMESTAMP NULL, complete_time TIMESTAMP NULL, PRIMARY KEY (id))")
	must(t, s.db, "CREATE TABLE JOB_STATUS_TRACE_LOG (id VARCHAR(40) NOT NULL, job_name VARCHAR(100) NOT NULL, "+
		"original_task_id VARCHAR(255) NOT NULL, task_id VARCHAR(255) NOT NULL, slave_id VARCHAR(50) NOT NULL, "+
		"execution_type VARCHAR(20) NOT NULL, sharding_item VARCHAR(100) NOT NULL, state VARCHAR(20) NOT NULL, "+
		"message VARCHAR(4000) NULL, creation_time TIMESTAMP NULL, PRIMARY KEY (id))")
	return s, p.server.URL()
}

func must(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// secretless fails if a text has the password.
func secretless(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{password, url.PathEscape(password), url.QueryEscape(password), "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in: %s", text)
		}
	}
}
