package sqlhistory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/history"
)

// maxTries bounds how often a batch is written again after a deadlock.
const maxTries = 8

// Write stores the rows in one transaction.
func (d *DB) Write(ctx context.Context, b history.Batch) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	if b.Len() == 0 {
		return nil
	}
	sortRuns(b.Runs)
	var err error
	for try := range maxTries {
		err = d.write(ctx, &b, try)
		if d.dialect.kind(err) != kindAgain && !errors.Is(err, errRaced) {
			break
		}
		select {
		case <-ctx.Done():
			return d.fault("write history", err)
		case <-time.After(rand.N(10 * time.Millisecond << try)):
		}
	}
	if err != nil {
		return d.fault("write history", err)
	}
	d.startPruning()
	return nil
}

// sortRuns brings runs into the order of their keys, so that two writers lock
// rows in one order.
func sortRuns(runs []history.Run) {
	slices.SortStableFunc(runs, func(a, b history.Run) int {
		return cmp.Or(
			strings.Compare(a.Namespace, b.Namespace),
			strings.Compare(a.Job, b.Job),
			cmp.Compare(a.Shard, b.Shard),
			cmp.Compare(a.Fence, b.Fence),
		)
	})
}

// write stores the rows once. try counts the attempts before.
func (d *DB) write(ctx context.Context, b *history.Batch, try int) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := d.prepare(ctx, conn); err != nil {
		return err
	}
	begin, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	tx := &tx{Tx: begin, d: d}
	defer func() { _ = tx.Rollback() }()
	if err := tx.writeAll(ctx, b, try); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	d.collisions.Add(tx.collisions)
	return nil
}

// prepare sets what a connection needs. Connections come from a pool whose
// settings are the program's.
func (d *DB) prepare(ctx context.Context, conn *sql.Conn) error {
	setting := ""
	switch d.dialect {
	case MySQL:
		setting = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'"
	case SQLite:
		setting = "PRAGMA busy_timeout = 5000"
	default:
		return nil
	}
	_, err := conn.ExecContext(ctx, setting)
	return err
}

// tx is a transaction that writes a batch.
type tx struct {
	*sql.Tx
	d          *DB
	collisions uint64
}

func (t *tx) writeAll(ctx context.Context, b *history.Batch, try int) error {
	if t.d.dialect == SQLite {
		// This takes the lock of the writer now, and waits for it. A
		// transaction that has read before would fail instead.
		if _, err := t.ExecContext(ctx, "UPDATE elastic_meta SET value = value WHERE name = ''"); err != nil {
			return err
		}
	}
	if err := t.writeRuns(ctx, b.Runs, try); err != nil {
		return err
	}
	d := t.d.dialect
	for _, m := range b.Missed {
		err := t.insert(ctx, "elastic_missed",
			"ns, job, first_fire, shard, shards, last_fire, n, more, code, instance, seen",
			m.Namespace, m.Job, d.at(m.First), m.Shard, m.Shards, d.at(m.Last), m.Count, number(m.More), m.Code,
			m.Instance, d.at(m.Seen))
		if err != nil {
			return err
		}
	}
	for _, e := range b.Events {
		err := t.insert(ctx, "elastic_event", "ns, at, instance, seq, kind, job, shard, code, subject, detail",
			e.Namespace, d.at(e.At), e.Instance, int64(e.Seq), e.Kind, e.Job, e.Shard, e.Code, e.Subject, e.Detail)
		if err != nil {
			return err
		}
	}
	for _, g := range b.Gaps {
		err := t.insert(ctx, "elastic_gap", "ns, id, instance, from_at, to_at, n, what",
			g.Namespace, gapID(&g), g.Instance, d.at(g.From), d.at(g.To), g.Count, g.What)
		if err != nil {
			return err
		}
	}
	for _, a := range b.Audit {
		err := t.insert(ctx, "elastic_audit", "id, ns, at, actor, via, act, target, why, detail",
			a.ID, a.Namespace, d.at(a.At), a.By, a.Via, a.Act, a.Target, a.Why, a.Detail)
		if err != nil {
			return err
		}
	}
	for _, l := range b.Logs {
		gz := l.Gzip
		if gz == nil {
			gz = []byte{}
		}
		err := t.insert(ctx, "elastic_log", "ns, job, shard, fence, ended, bytes, gz",
			l.Namespace, l.Job, l.Shard, l.Fence, d.at(l.Ended), l.Bytes, gz)
		if err != nil {
			return err
		}
	}
	return nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// gapID returns a key for a gap.
func gapID(g *history.Gap) string {
	text := fmt.Sprintf("%q %q %d %d %d %q",
		g.Namespace, g.Instance, g.From.UnixMicro(), g.To.UnixMicro(), g.Count, g.What)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// insert stores a row unless its key is there.
func (t *tx) insert(ctx context.Context, table, columns string, values ...any) error {
	_, err := t.ExecContext(ctx, t.d.dialect.insert(table, columns, 1), values...)
	return err
}

// insert returns a statement that inserts rows unless their keys are there.
func (d Dialect) insert(table, columns string, rows int) string {
	verb, end := "INSERT", ""
	switch d {
	case Postgres:
		end = " ON CONFLICT DO NOTHING"
	case MySQL:
		verb = "INSERT IGNORE"
	case SQLite:
		verb = "INSERT OR IGNORE"
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", strings.Count(columns, ",")+1), ", ") + ")"
	all := strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")
	return d.rebind(verb + " INTO " + table + " (" + columns + ") VALUES " + all + end)
}
