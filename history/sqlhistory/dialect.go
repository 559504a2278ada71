package sqlhistory

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect is a kind of database.
type Dialect uint8

// The dialects.
const (
	// Postgres is PostgreSQL from 13 on.
	Postgres Dialect = iota

	// MySQL is MySQL from 8.0 on, and MariaDB from 10.6 on.
	MySQL

	// SQLite is SQLite from 3.35 on. The file must not be on a network file
	// system. One process writes at a time; others wait for up to 5 s.
	SQLite
)

// String returns the name of the dialect: "postgres", "mysql" or "sqlite".
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case MySQL:
		return "mysql"
	case SQLite:
		return "sqlite"
	}
	return fmt.Sprintf("dialect %d", uint8(d))
}

// ParseDialect returns the dialect of a name that String returns, or of
// "postgresql" or "mariadb".
func ParseDialect(name string) (Dialect, error) {
	switch strings.ToLower(name) {
	case "postgres", "postgresql":
		return Postgres, nil
	case "mysql", "mariadb":
		return MySQL, nil
	case "sqlite", "sqlite3":
		return SQLite, nil
	}
	return 0, fmt.Errorf("dialect %q is not known; want postgres, mysql or sqlite", name)
}

// product is the name of the database for people.
func (d Dialect) product() string {
	return [...]string{"PostgreSQL", "MySQL", "SQLite"}[d]
}

// rebind replaces each ? by the form of placeholders of the dialect. The
// statements of this package have no other question marks.
func (d Dialect) rebind(query string) string {
	if d != Postgres {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c != '?' {
			b.WriteRune(c)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}

// moment is a time as a column or a parameter.
type moment struct {
	dialect Dialect
	time    time.Time
}

// timeFormat is how MySQL reads a time. It is a text so that it does not depend
// on the time zone of the connection.
const timeFormat = "2006-01-02 15:04:05.000000"

// Value returns the time as a parameter.
func (m moment) Value() (driver.Value, error) {
	switch m.dialect {
	case MySQL:
		return m.time.UTC().Format(timeFormat), nil
	case SQLite:
		return m.time.UnixMicro(), nil
	}
	return m.time.UTC(), nil
}

// Scan reads a time, or the microseconds since 1970.
func (m *moment) Scan(v any) error {
	switch v := v.(type) {
	case time.Time:
		m.time = v.UTC().Truncate(time.Microsecond)
		return nil
	case int64:
		m.time = time.UnixMicro(v).UTC()
		return nil
	case []byte:
		return m.parse(string(v))
	case string:
		return m.parse(v)
	}
	return fmt.Errorf("a time is a %T", v)
}

func (m *moment) parse(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("a time is %.40q", text)
	}
	m.time = time.UnixMicro(n).UTC()
	return nil
}

func (d Dialect) at(t time.Time) moment { return moment{d, t} }

// column returns the expression that reads a column with a time.
func (d Dialect) column(name string) string {
	if d == MySQL {
		return "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', " + name + ")"
	}
	return name
}

// array writes elements as the text of an array of PostgreSQL.
type array struct{ b strings.Builder }

func (a *array) next() {
	if a.b.Len() == 0 {
		a.b.WriteByte('{')
		return
	}
	a.b.WriteByte(',')
}

func (a *array) text(s string) {
	a.next()
	a.b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			a.b.WriteByte('\\')
		}
		a.b.WriteByte(s[i])
	}
	a.b.WriteByte('"')
}

func (a *array) int(n int64) {
	a.next()
	a.b.WriteString(strconv.FormatInt(n, 10))
}

func (a *array) time(t time.Time) {
	a.next()
	a.b.WriteString(t.UTC().Format(`"2006-01-02 15:04:05.000000+00"`))
}

// bytes writes a bytea; nil is null.
func (a *array) bytes(p []byte) {
	a.next()
	if p == nil {
		a.b.WriteString("NULL")
		return
	}
	fmt.Fprintf(&a.b, `"\\x%x"`, p)
}

func (a *array) String() string {
	if a.b.Len() == 0 {
		return "{}"
	}
	return a.b.String() + "}"
}
