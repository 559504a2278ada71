package vtime_test

import (
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
)

// With synctest.Test in place of vtime.Test this kills the test process, two times in three, when it is built with -race (Go 1.26.8, two cores).
func TestTimersThatGoroutinesReadAtOnceSurviveTheRaceDetector(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 2000 {
					timer := time.NewTimer(time.Millisecond)
					call := time.AfterFunc(time.Millisecond, func() {})
					time.Sleep(time.Millisecond)
					select {
					case <-timer.C:
					default:
					}
					call.Stop()
				}
			})
		}
		all.Wait()
	})
}
