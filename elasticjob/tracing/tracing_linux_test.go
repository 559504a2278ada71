package tracing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/store"
)

// keeping is a sink that keeps each row once, by its key.
type keeping struct {
	runs   map[history.RunKey]history.Run
	events map[string]history.Event
	fail   int // this many batches from now one fails; 0: none
	writes int
}

func newKeeping() *keeping {
	return &keeping{runs: map[history.RunKey]history.Run{}, events: map[string]history.Event{}}
}

func (k *keeping) Write(_ context.Context, b history.Batch) error {
	k.writes++
	if k.fail > 0 {
		if k.fail--; k.fail == 0 {
			return errors.New("the disk is full")
		}
	}
	for _, r := range b.Runs {
		if _, there := k.runs[r.RunKey]; !there {
			k.runs[r.RunKey] = r
		}
	}
	for _, e := range b.Events {
		key := fmt.Sprint(e.At, e.Instance, e.Seq)
		if _, there := k.events[key]; !there {
			k.events[key] = e
		}
	}
	return nil
}

// list returns the runs, the oldest first.
func (k *keeping) list() []history.Run {
	return slices.SortedFunc(maps.Values(k.runs), func(a, b history.Run) int {
		if n := a.Started.Compare(b.Started); n != 0 {
			return n
		}
		return int(b.Fence - a.Fence)
	})
}

var shanghai = time.FixedZone("UTC+08:00", 8*60*60)

// noon is a moment as all columns can hold it.
var noon = time.Date(2026, 3, 4, 4, 0, 0, 0, time.UTC)

const task = "report@-@0,1@-@READY@-@10.0.0.7@-@4711"

// insert writes a row as ElasticJob does, by a JVM whose zone is Shanghai's.
func insert(t *testing.T, s *Source, id, job string, item int, success bool, begin time.Time, end any, more ...string) {
	t.Helper()
	source, cause := "NORMAL_TRIGGER", ""
	if len(more) > 0 {
		source = more[0]
	}
	if len(more) > 1 {
		cause = more[1]
	}
	value := any(success)
	if s.dialect == dialectMySQL {
		value = map[bool]int{true: 1}[success]
	}
	if at, ok := end.(time.Time); ok {
		end = wall(s, at)
	}
	must(t, s.db, s.bind("INSERT INTO JOB_EXECUTION_LOG (id, job_name, task_id, hostname, ip, sharding_item, "+
		"execution_source, failure_cause, is_success, start_time, complete_time) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		id, job, task, "host", "10.0.0.7", item, source, cause, value, wall(s, begin), end)
}

func insertStatus(t *testing.T, s *Source, id, state, message string, at time.Time) {
	t.Helper()
	must(t, s.db, s.bind("INSERT INTO JOB_STATUS_TRACE_LOG (id, job_name, original_task_id, task_id, slave_id, "+
		"execution_type, sharding_item, state, message, creation_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		id, "report", "", task, "10.0.0.7", "READY", "[0, 1]", state, message, wall(s, at))
}

// wall returns a moment as JDBC stores it: MySQL's timestamp is a moment,
// PostgreSQL's what the clock of the JVM shows.
func wall(s *Source, t time.Time) time.Time {
	return clock{zone: map[dialect]*time.Location{dialectPostgres: shanghai}[s.dialect]}.value(t)
}

func options() Options {
	return Options{Namespace: "pay", Zone: shanghai, Now: noon.Add(48 * time.Hour)}
}

func each(t *testing.T, test func(t *testing.T, s *Source, dsn string)) {
	for _, p := range products {
		t.Run(p.scheme, func(t *testing.T) {
			s, dsn := p.open(t)
			test(t, s, dsn)
		})
	}
}

// The rows of both tables become runs and events, with what ElasticJob knows
// and nothing else.
func TestImport_Rows(t *testing.T) {
	each(t, func(t *testing.T, s *Source, _ string) {
		insert(t, s, "a1", "report", 0, true, noon, noon.Add(3*time.Second))
		insert(t, s, "a2", "report", 1, false, noon.Add(time.Minute), noon.Add(2*time.Minute), "MISFIRE",
			"java.lang.IllegalStateException: ä\n"+strings.Repeat("x", 3900))
		insert(t, s, "a3", "old", 2, false, noon.Add(time.Hour), nil)
		insertStatus(t, s, "b1", "TASK_STAGING", "Job 'report' execute begin.", noon)
		insertStatus(t, s, "b2", "TASK_FINISHED", "", noon)
		insertStatus(t, s, "b3", "TASK_FINISHED", "Sharding item for job 'report' is empty.", noon)
		sink := newKeeping()
		o := options()
		o.Rename = map[string]string{"old": "new"}
		report, err := s.Import(t.Context(), sink, o)
		if err != nil {
			t.Fatal(err)
		}
		if report.Runs != 3 || report.Events != 1 || report.Unreadable+report.Unfinished+report.Other != 0 {
			t.Errorf("got %+v", report)
		}
		runs := sink.list()
		if len(runs) != 3 {
			t.Fatalf("got %d runs", len(runs))
		}
		good, bad, unknown := runs[0], runs[1], runs[2]
		if good.Result != failover.ResultSucceeded || !good.Started.Equal(noon) || good.Took != 3*time.Second ||
			good.Code != "ej:NORMAL_TRIGGER" || good.Instance != "10.0.0.7@-@4711" || good.Job != "report" ||
			good.Namespace != "pay" || good.Attempt != 1 || good.Fence >= 0 {
			t.Errorf("got %+v", good)
		}
		if bad.Result != failover.ResultFailed || bad.Code != "ej:MISFIRE" || bad.Shard != 1 ||
			!strings.HasPrefix(bad.Error, "java.lang.IllegalStateException: ä") || len(bad.Error) > history.MaxError {
			t.Errorf("got %+v", bad)
		}
		if unknown.Result != ResultUnknown || unknown.Job != "new" || !unknown.Ended.Equal(unknown.Started) {
			t.Errorf("got %+v", unknown)
		}
		for _, e := range sink.events {
			if e.Kind != EventKind || e.Code != "ej:TASK_FINISHED" || !e.At.Equal(noon) || e.Shard != -1 ||
				e.Subject != "[0, 1]" || !strings.Contains(e.Detail, "is empty") {
				t.Errorf("got %+v", e)
			}
		}
	})
}

// Rows have the same keys whenever they are read: an import that is made again,
// or that goes on after a failure of the sink, leaves each row once. Two runs
// of a shard that began in the same second are two.
func TestImport_IsIdempotent(t *testing.T) {
	each(t, func(t *testing.T, s *Source, _ string) {
		const rows = 1200
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if i%2 == 0 {
				continue
			}
			begin := noon.Add(time.Duration(i) * time.Second)
			for _, id := range []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)} {
				success := any(true)
				if s.dialect == dialectMySQL {
					success = 1
				}
				at := wall(s, begin)
				_, err := tx.ExecContext(t.Context(), s.bind("INSERT INTO JOB_EXECUTION_LOG VALUES "+
					"(?, 'report', ?, 'h', '10.0.0.7', 0, 'NORMAL_TRIGGER', NULL, ?, ?, ?)"), id, task, success, at, at)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		sink := newKeeping()
		sink.fail = 2
		o := options()
		report, err := s.Import(t.Context(), sink, o)
		if err == nil || !strings.Contains(err.Error(), "the disk is full") || report.Runs != batchRows {
			t.Fatalf("got %+v, %v; want the sink's error after a batch", report, err)
		}
		o.After = report.Next
		report, err = s.Import(t.Context(), sink, o)
		if err != nil || report.Runs != rows-batchRows {
			t.Fatalf("the second import wrote %d rows (%v), want %d", report.Runs, err, rows-batchRows)
		}
		if len(sink.runs) != rows {
			t.Fatalf("history has %d runs, want %d", len(sink.runs), rows)
		}
		o.After = Cursor{}
		if _, err := s.Import(t.Context(), sink, o); err != nil || len(sink.runs) != rows {
			t.Errorf("after another import history has %d runs (%v), want %d", len(sink.runs), err, rows)
		}
		o.Since = noon.Add((rows - 1) * time.Second)
		if report, err := s.Import(t.Context(), newKeeping(), o); err != nil || report.Runs != 2 {
			t.Errorf("since the last second: got %d (%v), want 2", report.Runs, err)
		}
	})
}

// A run that may still end is left out, and a later import takes it with its
// end; the rows after it are written all the same.
func TestImport_WaitsForUnfinishedRuns(t *testing.T) {
	each(t, func(t *testing.T, s *Source, _ string) {
		insert(t, s, "a", "report", 0, true, noon, noon)
		insert(t, s, "b", "report", 1, false, noon.Add(time.Hour), nil)
		insert(t, s, "c", "report", 0, true, noon.Add(2*time.Hour), noon.Add(2*time.Hour))
		sink := newKeeping()
		o := options()
		o.Now = noon.Add(3 * time.Hour)
		report, err := s.Import(t.Context(), sink, o)
		if err != nil || report.Runs != 2 || report.Unfinished != 1 || report.Next.Runs.ID != "a" {
			t.Fatalf("got %+v, %v; want two runs, and the place of the first", report, err)
		}
		end := wall(s, noon.Add(4*time.Hour))
		must(t, s.db, s.bind("UPDATE JOB_EXECUTION_LOG SET complete_time = ? WHERE id = 'b'"), end)
		o.After = report.Next
		if report, err = s.Import(t.Context(), sink, o); err != nil || report.Unfinished != 0 || len(sink.runs) != 3 {
			t.Errorf("got %+v, %v and %d runs, want 3", report, err, len(sink.runs))
		}
		for _, r := range sink.runs {
			if r.Result == ResultUnknown {
				t.Errorf("got %+v", r)
			}
		}
	})
}

// Nothing that is wrong with a data source, a table or a row is silent, and no
// error has the password.
func TestImport_BadInput(t *testing.T) {
	for _, dsn := range []string{
		"", "mysql://", "hunter2", "mysql://java:hunter2@h", "oracle://java:hunter2@h/x",
		"java:hunter2@tcp(h:3306)/x", "mysql://java:hunter2@h/x?tls=hunter2", "mysql://java:hunter2@h/x?file=y",
		"postgres://java:hunter2@h/x?sslmode=hunter2", "postgres://java:hunter2 @h/x", "mysql://java:hunter2@h/x?ca=/none",
	} {
		_, err := Open(t.Context(), dsn)
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", dsn, err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%q: the password is in %v", dsn, err)
		}
	}
	each(t, func(t *testing.T, s *Source, dsn string) {
		wrong := strings.Replace(dsn, "java:"+url.PathEscape(password), "java:hunter2x", 1)
		_, err := Open(t.Context(), wrong)
		if !errors.Is(err, store.ErrPermission) {
			t.Errorf("a wrong password: got %v", err)
		}
		secretless(t, fmt.Sprintf("%v %+v %#v", err, err, err))

		insert(t, s, "a", "report", -1, true, noon, noon)
		insert(t, s, "b", "report", 0, true, noon, noon)
		report, err := s.Import(t.Context(), newKeeping(), options())
		named := strings.Contains(report.Example, "sharding_item")
		if err != nil || report.Runs != 1 || report.Unreadable != 1 || !named {
			t.Errorf("got %+v, %v; want one run and a row that is named", report, err)
		}
		o := options()
		o.Match = "x*"
		if report, err := s.Import(t.Context(), newKeeping(), o); err != nil || report.Other != 1 || report.Runs != 0 {
			t.Errorf("got %+v, %v; want a row of another job", report, err)
		}
		o.Match = "["
		if _, err := s.Import(t.Context(), newKeeping(), o); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a bad pattern: got %v", err)
		}
		o = options()
		o.Zone = nil
		_, err = s.Import(t.Context(), newKeeping(), o)
		if s.dialect == dialectPostgres && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("without a zone: got %v", err)
		}
		_, err = s.Import(t.Context(), panicking{}, options())
		if err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("a sink that panics: got %v", err)
		}
		must(t, s.db, "DROP TABLE "+statusTable)
		_, err = s.Import(t.Context(), newKeeping(), options())
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), statusTable) {
			t.Errorf("without a table: got %v", err)
		}
		secretless(t, fmt.Sprint(err))
	})
}

type panicking struct{}

func (panicking) Write(context.Context, history.Batch) error { panic("full") }

// A mark's run has ended if the newest row of its instance and shard has an
// end.
func TestEnded_JudgesByTheNewestRow(t *testing.T) {
	each(t, func(t *testing.T, s *Source, _ string) {
		const id = "10.0.0.7@-@4711"
		ask := func(shard int, instance string, since time.Time) bool {
			t.Helper()
			at, ended, err := s.Ended(t.Context(), shanghai, "report", shard, instance, since)
			if err != nil {
				t.Fatal(err)
			}
			if ended && !at.Equal(noon.Add(time.Minute)) {
				t.Errorf("got %v, want the end of the row", at)
			}
			return ended
		}
		insert(t, s, "a", "report", 0, true, noon, noon.Add(time.Minute))
		for name, got := range map[string]bool{
			"ended":               ask(0, id, noon),
			"another instance":    !ask(0, "10.0.0.7@-@1", noon),
			"another shard":       !ask(1, id, noon),
			"before the mark":     !ask(0, id, noon.Add(2*time.Second)),
			"the mark is earlier": ask(0, id, noon.Add(-time.Hour)),
		} {
			if !got {
				t.Errorf("%s: the answer is wrong", name)
			}
		}
		insert(t, s, "b", "report", 0, false, noon.Add(2*time.Minute), nil)
		if ask(0, id, noon) {
			t.Error("a later run goes on, so the mark is its own")
		}
	})
}
