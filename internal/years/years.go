// Package years bounds the times that jobs and stored documents name: the
// years 1 to 9999 in UTC. RFC 3339, and so JSON, can't express others.
package years

import (
	"fmt"
	"time"
)

// The first and the last moment that a document can hold. The zero time means
// that there is none, so the first is a second later.
var (
	first = time.Time{}.Add(time.Second)
	last  = time.Date(10000, 1, 1, 0, 0, 0, -1, time.UTC)
)

// Last is the last second of the year 9999 in UTC, since 1970.
const Last = 253402300799

// Check returns an error unless t is zero or lies in the years 1 to 9999 in
// UTC.
func Check(t time.Time) error {
	if t.IsZero() || !t.Before(first) && !t.After(last) {
		return nil
	}
	return fmt.Errorf("%s is not in the years 1 to 9999 in UTC", t.UTC().Format(time.RFC3339))
}

// Clamp returns t in UTC, moved into the years 1 to 9999 if it lies outside.
// The zero time stays zero. What Clamp returns can always be encoded, and
// Check accepts it.
func Clamp(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC()
}
