package cron_test

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// In New York 02:30 did not exist on 2026-03-08, and 01:30 came twice on
// 2026-11-01. A job can have it otherwise than its dialect does.
func ExampleGap() {
	ny := location("America/New_York")
	for _, gap := range []cron.Gap{cron.GapSkip, cron.GapShift} {
		s, err := cron.Spec{Expr: "0 30 2 * * ?", Zone: "America/New_York", Gap: gap}.Schedule()
		if err != nil {
			panic(err)
		}
		fmt.Println(gap, s.Next(time.Date(2026, 3, 8, 0, 0, 0, 0, ny)))
	}
	// Output:
	// skip 2026-03-09 02:30:00 -0400 EDT
	// shift 2026-03-08 03:00:00 -0400 EDT
}

// A backup that names its hour runs once in the night with 25 hours, unless it
// says both.
func ExampleOverlap() {
	ny := location("America/New_York")
	for _, overlap := range []cron.Overlap{cron.OverlapFirst, cron.OverlapBoth} {
		s, err := cron.Spec{Expr: "30 1 * * *", Zone: "America/New_York", Overlap: overlap}.Schedule()
		if err != nil {
			panic(err)
		}
		first := s.Next(time.Date(2026, 11, 1, 0, 0, 0, 0, ny))
		fmt.Println(overlap, first, "then", s.Next(first))
	}
	// Output:
	// first 2026-11-01 01:30:00 -0400 EDT then 2026-11-02 01:30:00 -0500 EST
	// both 2026-11-01 01:30:00 -0400 EDT then 2026-11-01 01:30:00 -0500 EST
}
