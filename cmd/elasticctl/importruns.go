package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/elasticjob/tracing"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/sqlhistory"
	"github.com/elasticjob-go/elastic/store"
	"github.com/spf13/cobra"
)

// runImport is the flags of the import of the tracing tables.
type runImport struct {
	tables
	since, history, cursor, namespace string
}

func (r *runImport) flags(cmd *cobra.Command) {
	r.tables.flags(cmd, "import the runs of ElasticJob's tracing tables into --history, too")
	f := cmd.Flags()
	f.StringVar(&r.since, "since", "",
		"with --tracing, leave out what began earlier: 2026-01-31, 2026-01-31T03:00:00Z, or a duration such as 720h")
	f.StringVar(&r.history, "history", "",
		"where the runs go: a directory for JSON lines, or a database: a file with its data source, or env:NAME")
	f.StringVar(&r.cursor, "cursor", "",
		"with --tracing, a file that keeps how far the import came; the next one goes on from there")
	f.StringVar(&r.namespace, "namespace", "", "with --tracing, the namespace of the runs; that of --from if not given")
}

// wanted reports whether there is anything to import.
func (r *runImport) wanted() bool { return r.tables.source != "" }

// check refuses bad flags before anything is read.
func (r *runImport) check(from string, now time.Time) (since time.Time, err error) {
	if !r.wanted() {
		if r.since != "" || r.history != "" || r.cursor != "" || r.namespace != "" {
			return since, usage("--since, --history, --cursor and --namespace are for --tracing")
		}
		return since, nil
	}
	if r.history == "" {
		return since, usage("--tracing: say where the runs go: --history DIRECTORY")
	}
	if r.namespace == "" {
		c, err := store.ParseURL(from)
		if err != nil || strings.Trim(c.Path, "/") == "" {
			return since, usage("--tracing: say which namespace the runs belong to: --namespace NAME")
		}
		r.namespace = path.Base(c.Path)
	}
	return sinceTime(r.since, now)
}

// sinceTime reads --since.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, usage("--since %.40q: want 2026-01-31, 2026-01-31T03:00:00Z, or a duration such as 720h", text)
	}
	return now.Add(-d), nil
}

// sink opens the destination.
func (r *runImport) sink(ctx context.Context, limit time.Duration) (history.Sink, io.Closer, error) {
	info, err := os.Stat(r.history)
	isFile := err == nil && info.Mode().IsRegular()
	secret := strings.Contains(r.history, "://") || strings.Contains(r.history, "@")
	if !isFile && !secret && !strings.HasPrefix(r.history, envPrefix) {
		sink := history.NewJSONL(r.history, history.JSONLOptions{Keep: math.MaxInt})
		return sink, sink, nil
	}
	text, err := dataSource("--history", r.history)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	database, err := tracing.Open(ctx, text)
	if err != nil {
		return nil, nil, fmt.Errorf("--history: %w", err)
	}
	db, kind := database.DB()
	dialect, err := sqlhistory.ParseDialect(kind)
	if err != nil {
		return nil, nil, errors.Join(err, database.Close())
	}
	return sqlhistory.New(db, dialect, sqlhistory.Options{Migrate: true, NoPrune: true}), database, nil
}

// run imports the runs.
func (r *runImport) run(ctx context.Context, i *importer, since time.Time) (report tracing.Report, err error) {
	zone, err := location(i.zone)
	if err != nil {
		return report, err
	}
	after, err := r.readCursor()
	if err != nil {
		return report, err
	}
	database, err := r.tables.open(ctx, i.timeout)
	if err != nil {
		return report, fmt.Errorf("--tracing: %w", err)
	}
	defer database.Close()
	sink, closer, err := r.sink(ctx, i.timeout)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return database.Import(ctx, sink, tracing.Options{
		Namespace: r.namespace,
		Zone:      zone,
		Match:     i.match,
		Rename:    i.rename,
		Since:     since,
		After:     after,
		Now:       i.now(),
		Progress:  r.writeCursor,
	})
}

func (r *runImport) readCursor() (c tracing.Cursor, err error) {
	if r.cursor == "" {
		return c, nil
	}
	text, err := os.ReadFile(r.cursor)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return c, nil
	case err == nil:
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, usage("--cursor: %w", err)
	}
	return c, nil
}

// writeCursor keeps how far the import came. A crash leaves the old file or the
// new one.
func (r *runImport) writeCursor(report tracing.Report) error {
	if r.cursor == "" {
		return nil
	}
	text, err := json.Marshal(report.Next)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(r.cursor), filepath.Base(r.cursor)+"-*")
	if err != nil {
		return fmt.Errorf("--cursor: %w", err)
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), r.cursor)
	}
	if err != nil {
		return fmt.Errorf("--cursor: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}

// runsText tells what an import of the tracing tables has done.
func runsText(r tracing.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s and %s written to history\n", counted(r.Runs, "run"), counted(r.Events, "event"))
	if r.Unfinished > 0 {
		fmt.Fprintf(&b, "%s may still end and were left out: import again later\n", counted(r.Unfinished, "run"))
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(&b, "%s left out, such as %s\n", counted(r.Unreadable, "row"), r.Example)
	}
	return b.String()
}

// runsVerdict is the exit code of rows that were left out.
func runsVerdict(r tracing.Report) error {
	if r.Unreadable > 0 || r.Unfinished > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}
