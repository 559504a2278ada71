package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"

	"github.com/elasticjob-go/elastic"
)

// order is a row that waits to be worked on.
type order struct {
	id       int64
	customer string
}

// orders is the table, seen by a shard.
type orders struct{ db *sql.DB }

// unpaid returns the next orders of a shard that nobody was reminded of yet.
func (o orders) unpaid(ctx context.Context, run elastic.Run) (found []order, err error) {
	rows, err := o.db.QueryContext(ctx, `SELECT id, customer FROM orders WHERE reminded = 0 AND id % ? = ? ORDER BY id LIMIT 10`, run.Shards, run.Shard)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var next order
		if err := rows.Scan(&next.id, &next.customer); err != nil {
			return nil, err
		}
		found = append(found, next)
	}
	return found, rows.Err()
}

// remind writes a reminder for each order and marks it, all in one transaction: if this process dies in the middle nothing of it has
// happened, and the shard's next owner fetches the same orders again.
func (o orders) remind(ctx context.Context, run elastic.Run, all []order) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing once it is committed
	if err := fence(ctx, tx, run); err != nil {
		return err
	}
	for _, one := range all {
		if _, err := tx.ExecContext(ctx, `INSERT INTO reminders (order_id, shard, text) VALUES (?, ?, ?)`, one.id, run.Shard, "Dear "+one.customer); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET reminded = 1 WHERE id = ?`, one.id); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// fence remembers the greatest fence of a shard and refuses smaller ones: a process that was declared dead while its code still
// ran, such as one that was paused, can't write any more once its successor has begun.
func fence(ctx context.Context, tx *sql.Tx, run elastic.Run) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO fences (shard, fence) VALUES (?, ?)
		ON CONFLICT (shard) DO UPDATE SET fence = excluded.fence WHERE excluded.fence >= fence`, run.Shard, int64(run.Fence()))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("shard %d: fence %d is out of date (%v)", run.Shard, run.Fence(), err)
	}
	return nil
}

// openTable makes a database with n orders that nobody has paid.
func openTable(ctx context.Context, path string, n int) (*sql.DB, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	// Writers wait for each other, and take the lock when they begin: SQLite has one at a time.
	settings := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+settings.Encode())
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `
		CREATE TABLE orders    (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, reminded INTEGER NOT NULL DEFAULT 0);
		CREATE TABLE reminders (order_id INTEGER NOT NULL, shard INTEGER NOT NULL, text TEXT NOT NULL);
		CREATE TABLE fences    (shard INTEGER PRIMARY KEY, fence INTEGER NOT NULL);
		WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO orders (id, customer) SELECT n, 'customer ' || n FROM numbers;`, n)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("make the tables in %s: %w", path, err)
	}
	return db, nil
}
