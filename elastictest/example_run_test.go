package elastictest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
)

// ended returns how the runs of a job have ended: for tests that look at each.
func ended(runs []elastictest.Run) (errs []error) {
	for _, r := range runs {
		if !r.Ended.IsZero() && !r.Crashed {
			errs = append(errs, r.Err)
		}
	}
	return errs
}

// A crawl that takes too long is cancelled by the Timeout of its job.
func TestCrawl_StopsAtTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(elastic.Job{Name: "crawl", Schedule: "@daily", Timeout: time.Hour}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			return elastictest.Work(ctx, 2*time.Hour)
		}))
		c.Start("a")

		c.NextFire("crawl")
		c.UntilQuiet()

		if got := ended(c.Runs("crawl")); len(got) != 1 || !errors.Is(got[0], elastic.ErrTimeout) {
			t.Errorf("the crawl ended with %v, want one timeout", got)
		}
	})
}
