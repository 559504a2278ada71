// Dataflow works off a table: it reminds customers of orders that they have not paid, four shards side by side, ten orders at a time,
// until none is left. In the end it says who was reminded by which shard, and fails if an order was left out or came twice.
//
//	go run ./examples/dataflow
//	go run ./examples/dataflow -orders 5000 -db /tmp/orders.db
//
// The table is in SQLite, so that there is nothing to install, and the store of jobs is in the memory of this process. In real life
// the table is in a database that several processes share, and so is the store: then start the program more than once.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
	_ "modernc.org/sqlite" // database/sql driver "sqlite"
)

const shards = 4

func main() {
	n := flag.Int("orders", 200, "how many unpaid orders there are in the beginning")
	path := flag.String("db", "", "`file` of the database; it is made anew (default one in a temporary directory)")
	store := flag.String("store", "memory://orders", "`URL` of the store of jobs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *store, *path, *n); err != nil {
		fmt.Fprintln(os.Stderr, "dataflow:", err)
		os.Exit(1)
	}
}

// run works off a table of n orders, and writes to out what was done.
func run(ctx context.Context, out io.Writer, store, path string, n int) error {
	if path == "" {
		dir, err := os.MkdirTemp("", "orders")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "orders.db")
	}
	db, err := openTable(ctx, path, n)
	if err != nil {
		return err
	}
	defer db.Close()

	scheduler, err := elastic.Open(ctx, store)
	if err != nil {
		return err
	}
	err = scheduler.Add(elastic.Job{
		Name:     "reminders",
		Schedule: "* * * * * ?", // every second; in real life "0 0 9 ? * MON-FRI"
		Shards:   shards,
		Failover: true,
	}, dataflow.Dataflow[order]{
		Fetch:   orders{db}.unpaid,
		Process: orders{db}.remind,
	})
	if err != nil {
		return errors.Join(err, scheduler.Close())
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- scheduler.Run(ctx) }()
	err = wait(ctx, db)
	cancel()
	return errors.Join(err, <-ended, report(out, db, n))
}

// wait returns when all customers are reminded. That is for the show: a program that one deploys waits for SIGTERM.
func wait(ctx context.Context, db *sql.DB) error {
	for ctx.Err() == nil {
		var left int
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM orders WHERE reminded = 0`).Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// report says what was done, and returns an error if it is not what was to be done.
func report(out io.Writer, db *sql.DB, n int) error {
	rows, err := db.Query(`SELECT shard, count(*), count(DISTINCT order_id) FROM reminders GROUP BY shard ORDER BY shard`)
	if err != nil {
		return err
	}
	defer rows.Close()
	total := 0
	for rows.Next() {
		var shard, sent, distinct int
		if err := rows.Scan(&shard, &sent, &distinct); err != nil {
			return err
		}
		if sent != distinct {
			return fmt.Errorf("shard %d sent %d reminders of %d orders", shard, sent, distinct)
		}
		fmt.Fprintf(out, "shard %d reminded of %d orders\n", shard, sent)
		total += sent
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if total != n {
		return fmt.Errorf("%d reminders were sent of %d orders", total, n)
	}
	fmt.Fprintf(out, "%d orders, each reminded of once\n", total)
	return nil
}
