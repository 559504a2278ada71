package tracing

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/history"
)

// Whatever the columns hold, a run and an event have texts that every sink
// stores, a negative fence, and the same key each time.
func FuzzRow(f *testing.F) {
	f.Add("id", task0, "10.0.0.1", "MISFIRE", "cause", int64(1_790_000_000_000_000), int64(1))
	f.Add("", "@-@@-@@-@@-@", "\xff", "\x00", "é\xff", int64(1), int64(-1))
	f.Fuzz(func(t *testing.T, id, task, ip, source, cause string, started, took int64) {
		begin := clock{}.moment(time.UnixMicro(max(1, started)))
		e := execution{
			id:      id,
			job:     "j",
			task:    task,
			ip:      ip,
			source:  source,
			cause:   cause,
			started: begin,
		}
		if took >= 0 {
			e.ended = clock{}.moment(time.UnixMicro(took))
		}
		s := status{
			id:      id,
			task:    task,
			ip:      ip,
			items:   source,
			state:   source,
			message: cause,
			created: begin,
		}
		for _, step := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
			r := e.run("ns", "j", step)
			if r.Fence >= 0 || r.Took < 0 || r.RunKey != e.run("ns", "j", step).RunKey {
				t.Errorf("got %+v", r)
			}
			for _, text := range []string{r.Instance, r.Code} {
				storable(t, text, maxText)
			}
			storable(t, r.Error, history.MaxError)
		}
		v := s.event("ns", "j")
		storable(t, v.Instance, maxText)
		storable(t, v.Subject, maxText)
		storable(t, v.Detail, maxDetail)
	})
}

const task0 = "report@-@0@-@READY@-@10.0.0.1@-@7"

func storable(t *testing.T, s string, most int) {
	t.Helper()
	if !utf8.ValidString(s) || len(s) > most {
		t.Errorf("%d bytes, at most %d: %q", len(s), most, s)
	}
	for _, r := range s {
		if r == 0 {
			t.Errorf("%q has a NUL", s)
		}
	}
}
