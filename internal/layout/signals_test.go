package layout

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

func TestSignalsReadAsTheyWereWritten(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, first, err1 := Signal{}.Add(
		failover.Trigger{By: "a@1", At: at, Resharded: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	)
	s, second, err2 := s.Add(failover.Trigger{By: "b@1", At: at, Shards: []int{0, 2}, Parameter: "again"})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if first != uint64(at.UnixMilli()) || second != first+1 {
		t.Errorf("numbers %d and %d, want the time %d and one more", first, second, at.UnixMilli())
	}
	got, err := DecodeSignal(s.Encode())
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v; want %+v", got, err, s)
	}
	want := `{"v":1,"triggers":[{"seq":1767323045000,"by":"a@1","at":"2026-01-02T03:04:05Z","resharded":"2026-01-01T00:00:00Z"},{"seq":1767323045001,"by":"b@1","at":"2026-01-02T03:04:05Z","shards":"0,2","parameter":"again","resharded":"0001-01-01T00:00:00Z"}]}`
	if text := string(s.Encode()); text != want {
		t.Errorf("stored as %s, want %s", text, want)
	}
}

// Triggers that no shard awaits are dropped, but for the last: the next must
// get a greater number.
func TestSignal_Waiting(t *testing.T) {
	s := Signal{Triggers: []failover.Trigger{{Seq: 1}, {Seq: 2}, {Seq: 3}}}
	for name, row := range map[string]struct {
		awaited uint64
		want    string
	}{
		"none":      {0, "[3]"},
		"the first": {1, "[1 3]"},
		"the last":  {3, "[3]"},
	} {
		var left []uint64
		for _, t := range s.Waiting(func(t failover.Trigger) bool { return t.Seq == row.awaited }).Triggers {
			left = append(left, t.Seq)
		}
		if got := fmt.Sprint(left); got != row.want {
			t.Errorf("awaited is %s: got %s, want %s", name, got, row.want)
		}
	}
}

func TestSignalsThatAreNotOursAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"v":2}`, `{"v":1,"triggers":[{"seq":0,"at":"2026-01-02T03:04:05Z"}]}`, `{"v":1,"triggers":[{"seq":1}]}`,
		`{"v":1,"triggers":[{"seq":2,"at":"2026-01-02T03:04:05Z"},{"seq":1,"at":"2026-01-02T03:04:05Z"}]}`,
	} {
		if s, err := DecodeSignal([]byte(text)); err == nil {
			t.Errorf("%q is accepted as %+v", text, s)
		}
	}
}

// A trigger carries a traceparent. Text of another form is dropped, as it is no
// reason not to run the job.
func TestSignal_CarriesTraceParent(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for given, want := range map[string]string{parent: parent, "": "", "garbage": "", parent + "-x": ""} {
		s, _, err := Signal{}.Add(failover.Trigger{By: "a@1", At: at, TraceParent: given})
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSignal(s.Encode())
		if err != nil || got.Triggers[0].TraceParent != want {
			t.Errorf("%q: got %+v, %v; want %q", given, got, err, want)
		}
		raw := bytes.Replace(Signal{Triggers: []failover.Trigger{{Seq: 1, By: "a@1", At: at}}}.Encode(),
			[]byte(`"by"`), []byte(`"trace":"`+given+`","by"`), 1)
		if got, err := DecodeSignal(raw); err != nil || got.Triggers[0].TraceParent != want {
			t.Errorf("%s: got %+v, %v; want %q", raw, got, err, want)
		}
	}
}
