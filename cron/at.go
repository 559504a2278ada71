package cron

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// at fires once, at a number of seconds since 1970.
type at int64

// At returns a schedule that fires once, at t. "@at 2027-01-01T00:00:00+08:00"
// is the same. A fraction of a second is cut off. A time after the year 9999 in
// UTC never fires.
func At(t time.Time) Schedule {
	return at(t.Unix())
}

func (a at) Next(t time.Time) time.Time {
	if t.Unix() >= int64(a) || int64(a) > years.Last {
		return time.Time{}
	}
	return time.Unix(int64(a), 0).In(t.Location())
}

const instantAllowed = "an instant such as 2027-01-01T00:00:00+08:00 or 2027-01-01T00:00:00Z"

// parseAt wants the offset from UTC in the instant itself: without it the
// instant would move with the time zone beside it, and would not be one at all
// on the day when the clock goes back.
func parseAt(f field, loc *time.Location) (Schedule, error) {
	const allowed = instantAllowed
	t, err := time.Parse(time.RFC3339, f.text)
	if err == nil && t.Nanosecond() != 0 {
		return nil, f.refuse("is not a whole second", allowed, "write "+t.Truncate(time.Second).Format(time.RFC3339))
	}
	if err == nil && years.Check(t) != nil {
		return nil, f.refuse("is not in the years 1 to 9999 in UTC", allowed, "")
	}
	if err == nil {
		return At(t), nil
	}
	return nil, f.refuse(instantFault(f.text, loc))
}

// localForms are the ways in which people write an instant without its offset.
var localForms = []string{
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
}

// instantForms are the ways in which people write an instant with its offset
// that RFC 3339 does not know.
var instantForms = []string{
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00",
	"2006-01-02 15:04 Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04 -0700", "2006-01-02T15:04:05-0700",
}

// instantFault says why a text is not an instant as RFC 3339 writes it, what is
// allowed, and what to write for the same time in loc, if that is clear.
func instantFault(text string, loc *time.Location) (problem, allowed, remedy string) {
	for _, form := range localForms {
		if local, err := time.ParseInLocation(form, text, loc); err == nil {
			hint := "write " + local.Format(time.RFC3339) + " for the time in " + loc.String()
			return "lacks the offset from UTC", instantAllowed, hint
		}
	}
	for _, form := range instantForms {
		if t, err := time.Parse(form, text); err == nil {
			return "is not an instant as RFC 3339 has it", instantAllowed, "write " + t.Format(time.RFC3339)
		}
	}
	return "is not an instant", instantAllowed, ""
}
