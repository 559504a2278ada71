package cron_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Ten minutes after the last run has ended, however long it took: Next is given
// that end, and not the last fire.
func ExampleDelay() {
	s, err := cron.Parse("@after 10m", nil)
	if err != nil {
		panic(err)
	}
	ended := time.Date(2026, 1, 2, 3, 17, 5, 0, time.UTC)
	fmt.Println(s, cron.AfterEnd(s), s.Next(ended).Format(time.TimeOnly))
	// Output:
	// @after 10m0s true 03:27:05
}

// Once, at an instant. After it there is no fire.
func ExampleAt() {
	release := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	s := cron.At(release)
	fmt.Println(s.Next(release.AddDate(0, -1, 0)))
	fmt.Println(s.Next(release).IsZero(), errors.Is(cron.Check(s, release), cron.ErrNever))
	// Output:
	// 2027-01-01 00:00:00 +0000 UTC
	// true true
}

// Every day, but only in the first week of January.
func ExampleBetween() {
	daily, err := cron.Parse("@daily", nil)
	if err != nil {
		panic(err)
	}
	s := cron.Between(daily, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC))
	fmt.Println(s.Next(time.Time{}).Format(time.DateOnly))
	fmt.Println(s.Next(time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)).IsZero())
	// Output:
	// 2026-01-01
	// true
}

// Every hour, but not at night and not at Christmas.
func ExampleExcept() {
	hourly, err := cron.Parse("@hourly", nil)
	if err != nil {
		panic(err)
	}
	free, err := cron.NewCalendar(nil, "22:00-06:00", "12-25..12-26")
	if err != nil {
		panic(err)
	}
	printFires(cron.Except(hourly, free), time.Date(2026, 12, 24, 20, 30, 0, 0, time.UTC), 2)
	// Output:
	// Thu 2026-12-24 21:00 UTC
	// Sun 2026-12-27 06:00 UTC
}

// A zone is a name of the IANA database or a fixed offset. What is neither is
// refused with the name that was probably meant.
func ExampleLoadLocation() {
	for _, name := range []string{"Asia/Shanghai", "GMT+8", "Beijing", "CST"} {
		loc, err := cron.LoadLocation(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(loc)
	}
	// Output:
	// Asia/Shanghai
	// UTC+08:00
	// time zone "Beijing" is unknown; did you mean Asia/Shanghai?
	// time zone "CST" stands for several zones; write Asia/Shanghai or America/Chicago or America/Havana, or an offset such as UTC+08:00
}
