package layout

import (
	"bytes"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

func FuzzDecodeSignal(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Add(Signal{}.Encode())
	f.Add(
		Signal{
			Triggers: []failover.Trigger{
				{Seq: 1, By: "ops", At: at},
				{Seq: 7, By: "ops", At: at, Shards: []int{2, 0}, Parameter: "p", Resharded: at},
			},
		}.Encode(),
	)
	f.Add(
		[]byte(`{"v":1,"triggers":[{"seq":2,"at":"2026-01-02T03:04:05+14:00"},{"seq":1,"at":"2026-01-02T03:04:05Z"}]}`),
	)
	f.Add([]byte(`{"v":1,"triggers":[{"seq":1,"at":"9999-12-31T23:59:59-23:59","shards":"0-3"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSignal(b)
		if err != nil {
			return
		}
		again, err := DecodeSignal(s.Encode())
		if err != nil {
			t.Fatalf("%s was accepted, and written again it is not: %v", b, err)
		}
		if !bytes.Equal(again.Encode(), s.Encode()) {
			t.Errorf("%s is written as %s, and that as %s", b, s.Encode(), again.Encode())
		}
	})
}
