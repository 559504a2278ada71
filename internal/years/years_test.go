package years

import (
	"math"
	"testing"
	"time"
)

// Every time can be encoded after Clamp, and Check accepts what Clamp returns.
func TestClamp_CanBeEncoded(t *testing.T) {
	west := time.FixedZone("", -23*3600)
	for _, at := range []time.Time{
		{},
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC),
		time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, west),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<62, 0),
		time.Unix(math.MaxInt64, 0),
		time.Unix(math.MinInt64, 0),
	} {
		clamped := Clamp(at)
		if _, err := clamped.MarshalJSON(); err != nil {
			t.Errorf("%v becomes %v: %v", at, clamped, err)
		}
		if err := Check(clamped); err != nil {
			t.Errorf("%v becomes %v, and Check says: %v", at, clamped, err)
		}
		if Check(at) == nil && !clamped.Equal(at) {
			t.Errorf("%v is within the bounds, and becomes %v", at, clamped)
		}
		if at.IsZero() != clamped.IsZero() {
			t.Errorf("%v becomes %v", at, clamped)
		}
	}
	if last.Unix() != Last {
		t.Errorf("Last is %d, want %d", int64(Last), last.Unix())
	}
}
