package failover

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// at is a time on the day of the tests, such as "10:00:05" or "10:00:05.5".
func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, "2027-03-01T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

// clock is the opposite of at, for messages.
func clock(t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case t.Truncate(24 * time.Hour).Equal(at("00:00:00")):
		return t.Format("15:04:05.999999999")
	}
	return t.Format(time.RFC3339Nano)
}

// every fires at the multiples of d.
func every(d time.Duration) cron.Schedule {
	s, err := cron.Every(d)
	if err != nil {
		panic(err)
	}
	return s
}

// times is a schedule of these fires, in ascending order.
type times []time.Time

func (s times) Next(t time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(s, t.Add(1), time.Time.Compare)
	if i == len(s) {
		return time.Time{}
	}
	return s[i]
}

// counting counts how often a schedule is asked.
type counting struct {
	cron.Schedule
	calls int
}

func (s *counting) Next(t time.Time) time.Time {
	s.calls++
	return s.Schedule.Next(t)
}
