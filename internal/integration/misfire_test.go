package integration

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The fires that 10,000 shards of a job miss while no instance runs are a
// handful of events and log lines, all at the level of alarms.
func TestMissed_ManyShardsAreFewLines(t *testing.T) {
	shards := scaled(10_000, 1000)
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer()
		var missed []elastic.Event
		var lines bytes.Buffer
		run := func(ran *atomic.Int64) {
			logger := slog.New(slog.NewTextHandler(&lines, nil))
			s, err := elastic.New(store.NewPortable(server.Connect("a"), store.Config{}), elastic.WithName("a"),
				elastic.WithJoinDelay(0),
				elastic.WithLogger(logger), elastic.WithEvents(func(e elastic.Event) {
					if e.Kind == observe.Missed {
						missed = append(missed, e)
					}
				}))
			if err != nil {
				t.Fatal(err)
			}
			job := elastic.Job{Name: "wide", Schedule: "0 * * * * ?", Shards: shards, Misfire: elastic.MisfireSkip}
			s.MustAdd(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
				ran.Add(1)
				return nil
			}))
			if _, err := leaves(t, s, 90*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		var before, after atomic.Int64
		run(&before)
		time.Sleep(10 * time.Minute)
		run(&after)
		if n := int64(shards); before.Load() < n || after.Load() < n {
			t.Errorf("%d and %d runs, want at least %d", before.Load(), after.Load(), shards)
		}
		if len(missed) == 0 || len(missed) > 5 {
			t.Fatalf("%d events of missed fires, want 1 to 5", len(missed))
		}
		for _, e := range missed {
			if e.Count < 9 || e.Args["shards"] == "" || !e.Alarm() || !e.Kind.Alarm() || !alarm.Default(e) {
				t.Errorf("got %+v, want an alarm with its count and its shards", e)
			}
		}
		checkEvents(t, missed)
		told := 0
		for line := range strings.Lines(lines.String()) {
			if strings.Contains(line, "kind=missed") {
				told++
				if !strings.Contains(line, "level=WARN") {
					t.Errorf("not at the level of alarms: %s", line)
				}
			}
		}
		if told != len(missed) {
			t.Errorf("%d lines for %d events", told, len(missed))
		}
	})
}
