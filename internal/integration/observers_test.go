package integration

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Whatever an observer does, runs go on, the other observers get all events,
// and Run returns in time.
func TestObserver_Hostile(t *testing.T) {
	for name, tt := range map[string]struct {
		observe func(s *elastic.Scheduler, block func())
		code    string // that the other observer gets
		fails   bool   // Run returns an error
	}{
		"panics": {func(*elastic.Scheduler, func()) { panic("boom") }, "observer_panicked", false},
		"panics odd": {
			func(*elastic.Scheduler, func()) { panic(rogueValue{func() { panic("boom") }}) },
			"observer_panicked",
			false,
		},
		"exits":    {func(*elastic.Scheduler, func()) { runtime.Goexit() }, "observer_exited", false},
		"blocks":   {func(_ *elastic.Scheduler, block func()) { block() }, "observer_blocked", true},
		"slow":     {func(*elastic.Scheduler, func()) { time.Sleep(time.Minute) }, "observer_blocked", true},
		"a little": {func(*elastic.Scheduler, func()) { time.Sleep(time.Millisecond) }, "", false},
		"removes":  {func(s *elastic.Scheduler, _ func()) { _ = s.Unregister("nothing") }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				var s *elastic.Scheduler
				runs := 0
				var seen []elastic.Event
				s = plain(t,
					elastic.WithDrainTimeout(time.Second),
					elastic.WithEvents(func(elastic.Event) { tt.observe(s, block) }),
					elastic.WithEvents(func(e elastic.Event) { seen = append(seen, e) }))
				s.MustAdd(elastic.Job{
					Name:     "report",
					Schedule: "* * * * * ?",
				}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					runs++
					return nil
				}))
				took, err := leaves(t, s, time.Minute)
				if took > time.Second+rest || (err != nil) != tt.fails {
					t.Errorf("Run returned %v after %s", err, took)
				}
				if runs < 55 {
					t.Errorf("%d runs in a minute", runs)
				}
				ends, codes := 0, map[string]int{}
				for _, e := range seen {
					if e.Kind == observe.Ended {
						ends++
					}
					if e.Kind == observe.ObserverFailed {
						codes[e.Code]++
					}
				}
				if ends != runs || seen[len(seen)-1].Kind != observe.Left {
					t.Errorf(
						"the other observer got %d ends of %d runs, and last %s",
						ends,
						runs,
						seen[len(seen)-1].Kind,
					)
				}
				if tt.code != "" && codes[tt.code] != 1 || tt.code == "" && len(codes) > 0 {
					t.Errorf("the other observer got the codes %v, want %q once", codes, tt.code)
				}
				time.Sleep(time.Minute) // the slow observer returns
			})
		})
	}
}

// An observer that is too slow learns how many events it has lost, and the
// others learn that it is slow.
func TestObserver_LearnsWhatItLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow, other []elastic.Event
		s := plain(t,
			elastic.WithEvents(func(e elastic.Event) {
				slow = append(slow, e)
				if e.Kind == observe.Joined {
					time.Sleep(time.Hour)
				}
			}),
			elastic.WithEvents(func(e elastic.Event) { other = append(other, e) }))
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "* * * * * ?",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		if took, err := leaves(t, s, 2*time.Hour); took > elastic.DefaultDrain+rest || err != nil {
			t.Errorf("Run returned %v after %s", err, took)
		}
		lost, told := 0, 0
		for _, e := range slow {
			if e.Kind == observe.ObserverFailed && e.Code == "observer_slow" {
				lost += e.Count
			}
		}
		for _, e := range other {
			if e.Kind == observe.ObserverFailed && e.Code == "observer_slow" {
				told++
			}
		}
		if lost == 0 || told != 1 {
			t.Errorf(
				"the slow observer learned of %d lost events, the other learned %d times that it is slow",
				lost,
				told,
			)
		}
		if delivered := len(slow) - 1; delivered+lost < len(other)-2 || delivered+lost > len(other) {
			t.Errorf("%d events were delivered and %d lost, the other observer got %d", delivered, lost, len(other))
		}
	})
}

// A slow observer delays no run.
func TestObserver_SlowDelaysNoRun(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		heard := 0
		release := make(chan struct{})
		s, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"),
			store.Config{}), elastic.WithEvents(func(elastic.Event) {
			heard++
			<-release
		}))
		if err != nil {
			t.Fatal(err)
		}
		runs := make(chan time.Time, 100)
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "* * * * * ?",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			runs <- time.Now()
			return nil
		}))
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(context.Background()) })
		time.Sleep(10500 * time.Millisecond)
		if len(runs) != 10 {
			t.Errorf("%d runs in ten seconds with an observer that blocks, want 10", len(runs))
		}
		close(release)
		_ = s.Close()
		wg.Wait()
		if heard < 20 {
			t.Errorf("the observer got %d events, want at least those of 10 runs", heard)
		}
	})
}
