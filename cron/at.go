package cron

import (
	"time"
)

// at fires once, at so many seconds since the epoch.
type at int64

// At fires once, at t. "@at 2027-01-01T00:00:00+08:00" is the same. A fraction of a second is cut off.
func At(t time.Time) Schedule {
	return at(t.Unix())
}

func (a at) Next(t time.Time) time.Time {
	if t.Unix() >= int64(a) {
		return time.Time{}
	}
	return time.Unix(int64(a), 0).In(t.Location())
}

// parseAt wants the offset from UTC in the instant itself: without it the instant would move with the time zone
// beside it, and would not be one at all on the day when the clock goes back.
func parseAt(f field, loc *time.Location) (Schedule, error) {
	const allowed = "an instant such as 2027-01-01T00:00:00+08:00 or 2027-01-01T00:00:00Z"
	t, err := time.Parse(time.RFC3339, f.text)
	if err == nil && t.Nanosecond() != 0 {
		return nil, f.refuse("is not a whole second", allowed, "write "+t.Truncate(time.Second).Format(time.RFC3339))
	}
	if err == nil {
		return At(t), nil
	}
	if local, err := time.ParseInLocation("2006-01-02T15:04:05", f.text, loc); err == nil {
		return nil, f.refuse("lacks the offset from UTC", allowed, "write "+local.Format(time.RFC3339)+" for the time in "+loc.String())
	}
	return nil, f.refuse("is not an instant", allowed, "")
}
