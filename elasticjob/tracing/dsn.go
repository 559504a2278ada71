package tracing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Forms are the data sources that Open takes, for messages.
const Forms = "mysql://user:password@host:3306/database or postgres://user:password@host:5432/database"

const (
	dialLimit  = 10 * time.Second
	queryLimit = time.Minute // of a page
	maxConns   = 2           // a production database has other things to do
)

// dialect is a kind of database.
type dialect int

const (
	dialectMySQL dialect = iota
	dialectPostgres
)

// Source is a database with the tables of ElasticJob. Its methods are safe for
// concurrent use.
type Source struct {
	db      *sql.DB
	dialect dialect
	secrets *strings.Replacer
}

// Open connects to the database of a data source:
//
//	mysql://user:password@host:3306/database?tls=true&ca=FILE
//	postgres://user:password@host:5432/database?sslmode=verify-full
//
// mariadb and postgresql are names for the same. The parameter tls of MySQL is
// true, skip-verify, preferred or false; those of PostgreSQL are libpq's. A
// password with other characters than letters and digits is percent-encoded.
//
// Errors never hold the data source or its password. They are store.ErrInvalid
// for a data source that can't be read, store.ErrPermission and
// store.ErrUnavailable.
func Open(ctx context.Context, dsn string) (*Source, error) {
	u, err := url.Parse(strings.TrimSpace(dsn))
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%w: the data source is not of the form %s; percent-encode the password",
			store.ErrInvalid, Forms)
	}
	s := &Source{secrets: hidden(u)}
	switch u.Scheme {
	case "mysql", "mariadb":
		s.dialect = dialectMySQL
		s.db, err = openMySQL(u)
	case "postgres", "postgresql":
		s.dialect = dialectPostgres
		s.db, err = openPostgres(u)
	default:
		err = fmt.Errorf("the scheme %.20q is not known; want %s", u.Scheme, Forms)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: data source: %s", store.ErrInvalid, s.secrets.Replace(err.Error()))
	}
	s.db.SetMaxOpenConns(maxConns)
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	if err := s.db.PingContext(ctx); err != nil {
		_ = s.db.Close()
		return nil, s.fault("connect to "+u.Host, err)
	}
	return s, nil
}

// DB returns the connections, and the name of the kind of database: mysql or
// postgres. Close closes them.
func (s *Source) DB() (db *sql.DB, kind string) {
	if s.dialect == dialectMySQL {
		return s.db, "mysql"
	}
	return s.db, "postgres"
}

// Close closes the connections.
func (s *Source) Close() error { return s.db.Close() }

// hidden replaces the password of a URL, as it is written and as it is meant.
func hidden(u *url.URL) *strings.Replacer {
	password, _ := u.User.Password()
	var pairs []string
	for _, text := range []string{password, url.QueryEscape(password), url.PathEscape(password)} {
		if text != "" {
			pairs = append(pairs, text, "xxxxx")
		}
	}
	return strings.NewReplacer(pairs...)
}

// fault returns an error of the database, without the password. The driver's
// error is not wrapped, as a caller could print it.
func (s *Source) fault(what string, err error) error {
	return fmt.Errorf("%w: %s: %s", classOf(err), what, s.secrets.Replace(err.Error()))
}

// classOf returns the class of a driver's error.
func classOf(err error) error {
	var my *mysql.MySQLError
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &my):
		switch my.Number {
		case 1044, 1045, 1142, 1143: // no right to the database, to connect, to the table or the column
			return store.ErrPermission
		case 1049, 1054, 1146: // no such database, column, table
			return store.ErrInvalid
		}
	case errors.As(err, &pg):
		switch pg.Code {
		case "28000", "28P01", "42501": // no right to connect, wrong password, no right to the table
			return store.ErrPermission
		case "3D000", "42703", "42P01": // no such database, column, table
			return store.ErrInvalid
		}
	}
	return store.ErrUnavailable
}

func openMySQL(u *url.URL) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	c.DBName = strings.Trim(u.Path, "/")
	c.ParseTime = true // in UTC, which is also the zone of the session
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	c.Timeout = dialLimit
	c.ReadTimeout, c.WriteTimeout = queryLimit, queryLimit
	c.Logger = silent{}
	for name, values := range u.Query() {
		value := values[0]
		switch name {
		case "tls":
			if value != "true" && value != "false" && value != "skip-verify" && value != "preferred" {
				return nil, errors.New("parameter tls: want true, false, skip-verify or preferred")
			}
			c.TLSConfig = value
		case "ca":
			pool, err := certificates(value)
			if err != nil {
				return nil, err
			}
			c.TLS = &tls.Config{RootCAs: pool, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		default:
			return nil, fmt.Errorf("unknown parameter %.40q; there are tls and ca", name)
		}
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func certificates(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("parameter ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("parameter ca: %s holds no certificate in PEM", file)
	}
	return pool, nil
}

func openPostgres(u *url.URL) (*sql.DB, error) {
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, err
	}
	c.ConnectTimeout = dialLimit
	return stdlib.OpenDB(*c), nil
}

// silent is a logger. Faults are returned, not logged.
type silent struct{}

func (silent) Print(...any) {}
