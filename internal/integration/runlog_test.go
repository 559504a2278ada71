package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/history"
)

// logOf returns the text of the log of the only run of a job, and its size.
func logOf(t *testing.T, ring *history.Ring, job string) (string, int64) {
	t.Helper()
	rows := recorded(t, ring, job)
	if len(rows) != 1 {
		t.Fatalf("got %d runs of %s, want 1", len(rows), job)
	}
	l, err := ring.Log(context.Background(), rows[0].RunKey)
	if errors.Is(err, history.ErrNotFound) {
		return "", 0
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Text()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), l.Bytes
}

// What a run logs is stored with its row if it failed, and each retry adds to
// it. It goes to the program's logger at once, with the run's attributes.
func TestRunLog_IsStoredForFailures(t *testing.T) {
	for name, row := range map[string]struct {
		logs        history.Logs
		fails, good bool // whether there is a log
	}{
		"of failures": {history.OfFailures, true, false},
		"of all":      {history.OfAll, true, true},
		"of none":     {history.OfNone, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := history.Options{Logs: row.logs}
			withHistory(t, o, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
				var program bytes.Buffer
				for _, name := range []string{"good", "fails"} {
					job := elastic.Job{Name: name, Schedule: "0 0 * * * ?", Retries: 1}
					c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
						elastic.Log(ctx).Info("printing", "page", run.Retry+1)
						fmt.Fprintf(elastic.Output(ctx), "raw output\n")
						if name == "fails" {
							return errors.New("no paper")
						}
						return nil
					}))
				}
				logger := slog.New(slog.NewTextHandler(&program, nil))
				c.StartWith("a", elastic.WithLogger(logger), elastic.WithMaxConcurrent(1))
				c.NextFire("good")
				c.Advance(time.Minute)
				text, _ := logOf(t, ring, "fails")
				has := strings.Contains(text, "page=1") && strings.Contains(text, "page=2") &&
					strings.Contains(text, "raw output\n") && !strings.Contains(text, "job=")
				if has != row.fails {
					t.Errorf("the log of the run that failed is %q", text)
				}
				if text, _ := logOf(t, ring, "good"); (text != "") != row.good {
					t.Errorf("the log of the run that succeeded is %q", text)
				}
				c.Leave("a")
				c.Advance(time.Second)
				want := "msg=printing job=fails shard=0 fire="
				lines := program.String()
				if !strings.Contains(lines, want) || !strings.Contains(lines, "attempt=1 fence=") {
					t.Errorf("the program's log lacks %q:\n%s", want, lines)
				}
			})
		})
	}
}

// Of a long log the first 16 KiB and the last 48 KiB are kept.
func TestRunLog_KeepsBothEnds(t *testing.T) {
	withHistory(t, history.Options{}, func(t *testing.T, c *elastictest.Cluster, ring *history.Ring) {
		const lines = 20_000
		job := elastic.Job{Name: "long", Schedule: "0 0 * * * ?"}
		c.Add(job, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
			out := elastic.Output(ctx)
			for i := range lines {
				fmt.Fprintf(out, "line %06d\n", i)
			}
			return errors.New("no paper")
		}))
		c.Start("a")
		c.NextFire("long")
		c.Advance(time.Minute)
		text, size := logOf(t, ring, "long")
		if size != lines*12 {
			t.Errorf("it wrote %d bytes, want %d", size, lines*12)
		}
		left := fmt.Sprintf("… %d bytes are left out …", lines*12-history.MaxLog)
		if !strings.HasPrefix(text, "line 000000\n") || !strings.HasSuffix(text, "line 019999\n") ||
			!strings.Contains(text, left) || len(text) > history.MaxLog+100 {
			t.Errorf("got %d bytes: %.40q … %q", len(text), text, text[len(text)-40:])
		}
	})
}

// Outside of a run, and without history, a log is discarded and harms nothing.
func TestRunLog_OutsideOfRuns(t *testing.T) {
	elastic.Log(context.Background()).Info("nothing")
	fmt.Fprintln(elastic.Output(context.Background()), "nothing")
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(elastic.Job{
			Name:     "report",
			Schedule: "0 0 * * * ?",
			CarryOn:  time.Minute,
			Failover: true,
		}, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
			elastic.Log(ctx).Info("nothing")
			fmt.Fprintln(elastic.Output(ctx), "nothing")
			return nil
		}))
		c.Start("a")
		c.NextFire("report")
		if runs := c.Runs("report"); len(runs) != 1 || runs[0].Err != nil {
			t.Errorf("got %v", runs)
		}
	})
}
