package alarm_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

// A target that does not answer delays no run, and all failures are counted.
func TestSender_DelaysNoRun(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		dead := newTarget()
		dead.send = func(ctx context.Context, _ alarm.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}
		var mu sync.Mutex
		counted := make(map[string]int) // by what happened
		out := newTarget()
		out.send = func(_ context.Context, m alarm.Message) error {
			mu.Lock()
			defer mu.Unlock()
			counted[m.Event.Job+" "+string(m.Event.Kind)] += m.Count
			return nil
		}
		alarms := start(t, alarm.Config{Targets: []alarm.Target{dead, out}, Queue: 1, PerMinute: 100})

		c := elastictest.New(t, elastic.WithEvents(alarms.Observe), elastic.WithSessionTTL(10*time.Second))
		c.Add(elastic.Job{
			Name:     "report",
			Schedule: "0 * * * * ?",
			Shards:   2,
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			return errors.New("no paper")
		}))
		c.Add(elastic.Job{
			Name:     "backup",
			Schedule: "0 * * * * ?",
		}, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
			return elastictest.Work(ctx, 20*time.Second)
		}))
		c.Start("a", "b")
		c.NextFire("backup")
		c.Advance(5 * time.Second)
		owner := c.Owners("backup")[0]
		c.Crash(owner) // without failover its run is given up
		c.Advance(30 * time.Minute)

		runs := c.Runs("report")
		for _, r := range runs {
			if late := r.Began.Sub(r.Fire); late > 15*time.Second { // the time to live of the crashed, and a little
				t.Errorf("began %s late: %s", late, r)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := alarms.Close(ctx); err != nil && !strings.Contains(err.Error(), "not sent in time") {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(runs) < 58 || counted["report ended"] != len(runs) {
			t.Errorf("%d runs failed, and %d were told of", len(runs), counted["report ended"])
		}
		if counted["backup abandoned"] != 1 || counted["backup ended"] != 0 {
			t.Errorf("told of: %v, want one abandoned run and no other of backup", counted)
		}
	})
}
