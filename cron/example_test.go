package cron_test

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/elasticjob-go/elastic/cron"
)

func location(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

func printFires(s cron.Schedule, after time.Time, n int) {
	for range n {
		after = s.Next(after)
		fmt.Println(after.Format("Mon 2006-01-02 15:04 MST"))
	}
}

func ExampleParse() {
	s, err := cron.Parse("0 30 9 LW * ?", location("Asia/Shanghai")) // Quartz: the last workday of the month
	if err != nil {
		panic(err)
	}
	printFires(s, time.Date(2026, 1, 1, 0, 0, 0, 0, location("Asia/Shanghai")), 3)
	// Output:
	// Fri 2026-01-30 09:30 CST
	// Fri 2026-02-27 09:30 CST
	// Tue 2026-03-31 09:30 CST
}

// What is neither dialect is refused, with what to write.
func ExampleParse_refused() {
	_, err := cron.Parse("0 0 9 * * 1-5", nil)
	var fault *cron.SyntaxError
	if errors.As(err, &fault) {
		fmt.Println(fault.Problem)
		fmt.Println(fault.Remedy)
	}
	// Output:
	// has no ? in a day field, as Quartz needs
	// if it is Quartz's, write "0 0 9 ? * 1-5" (at 09:00 on Sunday to Thursday, UTC); if it is robfig's with seconds, read it with Seconds (at 09:00 on Monday to Friday, UTC)
}

// In New York 02:30 did not exist on 2026-03-08. The Unix dialect makes the
// fire up when the gap ends; Quartz skips it.
func ExampleParse_gap() {
	ny := location("America/New_York")
	start := time.Date(2026, 3, 7, 12, 0, 0, 0, ny)
	unix, _ := cron.Parse("30 2 * * *", ny)
	printFires(unix, start, 2)
	quartz, _ := cron.Parse("0 30 2 * * ?", ny)
	printFires(quartz, start, 2)
	// Output:
	// Sun 2026-03-08 03:00 EDT
	// Mon 2026-03-09 02:30 EDT
	// Mon 2026-03-09 02:30 EDT
	// Tue 2026-03-10 02:30 EDT
}

// In New York 01:30 came twice on 2026-11-01. A job that names its hour runs
// once, an hourly one keeps its rhythm.
func ExampleParse_repeatedHour() {
	ny := location("America/New_York")
	start := time.Date(2026, 11, 1, 0, 45, 0, 0, ny)
	daily, _ := cron.Parse("30 1 * * *", ny)
	printFires(daily, start, 2)
	hourly, _ := cron.Parse("30 * * * *", ny)
	printFires(hourly, start, 3)
	// Output:
	// Sun 2026-11-01 01:30 EDT
	// Mon 2026-11-02 01:30 EST
	// Sun 2026-11-01 01:30 EDT
	// Sun 2026-11-01 01:30 EST
	// Sun 2026-11-01 02:30 EST
}

func ExampleSeconds() {
	s, err := cron.Seconds("30 0 9 * * 1-5", nil) // robfig/cron with cron.WithSeconds()
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Next(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)))
	// Output: 2026-01-05 09:00:30 +0000 UTC
}

func ExampleSpec() {
	s, err := cron.Spec{
		Expr:   "0 30 9 ? * MON-FRI",
		Zone:   "Asia/Shanghai",
		Start:  time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC),
		Except: []string{"10-01..10-07"},
	}.Schedule()
	if err != nil {
		panic(err)
	}
	printFires(s, time.Date(2026, 1, 1, 0, 0, 0, 0, location("Asia/Shanghai")), 3)
	// Output:
	// Wed 2026-09-30 09:30 CST
	// Thu 2026-10-08 09:30 CST
	// Fri 2026-10-09 09:30 CST
}

func ExampleExplain() {
	s, err := cron.Parse("0 0/15 9-17 ? * 2-6", location("Europe/Berlin"))
	if err != nil {
		panic(err)
	}
	e, err := cron.Explain(s, time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), 2)
	fmt.Println(e.Words, err)
	fmt.Println(e.Next)
	// Output:
	// every 15 minutes in hours 9 to 17 on Monday to Friday, Europe/Berlin <nil>
	// [2026-01-05 09:00:00 +0100 CET 2026-01-05 09:15:00 +0100 CET]
}

func ExampleCheck() {
	s, _ := cron.Parse("0 0 0 1 1 ? 2020", nil)
	fmt.Println(cron.Check(s, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	// Output: schedule "0 0 0 1 1 ? 2020" (at 00:00 on day 1 of the month in January in 2020, UTC) never fires after 2026-01-01T00:00:00Z
}

// Numbers of weekdays mean other days in Quartz: 1-5 is Sunday to Thursday.
func ExampleAlike() {
	unix, _ := cron.Parse("30 9 * * 1-5", nil)
	quartz, _ := cron.Parse("0 30 9 ? * 1-5", nil)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fmt.Println(cron.Alike(unix, quartz, from, from.AddDate(1, 0, 0)))
	// Output: false 2026-01-02 09:30:00 +0000 UTC
}

func ExampleEvery() {
	s, err := cron.Every(15 * time.Minute)
	if err != nil {
		panic(err)
	}
	printFires(s, time.Date(2026, 1, 1, 9, 7, 0, 0, time.UTC), 2) // not 09:22
	// Output:
	// Thu 2026-01-01 09:15 UTC
	// Thu 2026-01-01 09:30 UTC
}

func ExampleCalendar() {
	c, err := cron.NewCalendar(nil, "SAT-SUN", "12-25", "22:00-06:00")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\n", c.Excludes(time.Date(2026, 12, 25, 12, 0, 0, 0, time.UTC)))
	fmt.Printf("%q\n", c.Excludes(time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)))
	// Output:
	// "12-25"
	// ""
}

func ExampleJitter() {
	j := cron.Jitter{Max: time.Minute}
	fire := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	for shard := range 3 {
		fmt.Println(j.Delay("report", shard, fire).Round(time.Second))
	}
	// Output:
	// 38s
	// 31s
	// 10s
}
