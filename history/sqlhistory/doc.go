// Package sqlhistory keeps history in a database: PostgreSQL from 13, MySQL
// from 8, MariaDB from 10.6, or SQLite from 3.35.
//
// The program opens the database with a driver of its choice:
//
//	db, err := sql.Open("pgx", dsn)
//	o := sqlhistory.Options{Migrate: true}
//	sink := sqlhistory.New(db, sqlhistory.Postgres, o)
//	rec := history.New(sink, history.Options{Spool: "/var/lib/app/spool"})
//
// A [DB] is a [history.Sink] and a [history.Reader]. Writing needs the rights
// to select, insert, update and delete; reading needs the right to select.
// Tables are made by [DB.Migrate], or by the SQL that [Schema] returns.
package sqlhistory
