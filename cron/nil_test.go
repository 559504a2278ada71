package cron_test

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// A nil schedule is refused where it is given, and not by a later call of Next.
func TestNil_IsRefused(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := cron.Check(nil, now); err == nil {
		t.Error("Check accepts a nil schedule")
	}
	if _, err := cron.Explain(nil, now, 1); err == nil {
		t.Error("Explain accepts a nil schedule")
	}
	daily, err := cron.Parse("@daily", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"Between":       func() { cron.Between(nil, now, now) },
		"Except":        func() { cron.Except(nil, nil) },
		"Alike, first":  func() { cron.Alike(nil, daily, now, now) },
		"Alike, second": func() { cron.Alike(daily, nil, now, now) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepts a nil schedule", name)
				}
			}()
			f()
		}()
	}
	if got := cron.Except(daily, nil).Next(now); !got.Equal(daily.Next(now)) {
		t.Errorf("without a calendar the next fire is %s, want %s", got, daily.Next(now))
	}
}
