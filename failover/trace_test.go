package failover

import (
	"strings"
	"testing"
)

const (
	traceText = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	tracePart = `"trace":"` + traceText + `"`
)

func trace(t *testing.T) Trace {
	t.Helper()
	got, err := ParseTrace(traceText)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A trace has one text, and no other text is a trace.
func TestTrace_Text(t *testing.T) {
	if got := trace(t).String(); got != traceText {
		t.Errorf("%s is read and written as %s", traceText, got)
	}
	if got := (Trace{}).String(); got != "" {
		t.Errorf("no trace has the text %q, want none", got)
	}
	for _, text := range []string{
		"",
		"-",
		traceText[1:],
		traceText + "0",
		"00-" + traceText + "-01",
		strings.ToUpper(traceText),
		strings.Replace(traceText, "-", "0", 1),
		strings.Replace(traceText, "4bf", "4bg", 1),
		strings.Replace(traceText, "4bf", "-bf", 1),
		strings.Repeat("0", 32) + traceText[32:],
		traceText[:33] + strings.Repeat("0", 16),
		strings.Repeat("x", 1<<20),
	} {
		got, err := ParseTrace(text)
		if err == nil || got != (Trace{}) {
			t.Errorf("%.60q is read as %v, %v; want an error", text, got, err)
		}
		if err != nil && len(err.Error()) > 120 {
			t.Errorf("%.60q: an error of %d bytes", text, len(err.Error()))
		}
	}
}

// The trace is stored with a claim, and stays until the next one.
func TestTrace_IsOfOneAttempt(t *testing.T) {
	first := idle("10:00:00").Begin(at("10:00:10"), other, at("10:00:10"))
	if !first.Trace.IsZero() {
		t.Errorf("a new run has the trace %s, want none", first.Trace)
	}
	first.Trace = trace(t)
	for name, next := range map[string]Record{
		"completed":   first.Complete(ResultSucceeded, "", now),
		"handed over": first.HandOver(),
		"reclaimed":   first.Reclaim(me),
		"abandoned":   first.Abandon(now),
	} {
		got, err := Decode(next.Encode())
		if err != nil || got.Trace != first.Trace || !strings.Contains(string(next.Encode()), tracePart) {
			t.Errorf("%s: %s is read with the trace %s, %v; want %s", name, next.Encode(), got.Trace, err, first.Trace)
		}
	}
	for name, next := range map[string]Record{
		"taken over":  first.TakeOver(me, now),
		"begun again": first.Complete(ResultSucceeded, "", now).Begin(at("10:00:20"), me, now),
		"triggered":   first.Complete(ResultSucceeded, "", now).BeginTrigger(Trigger{Seq: 1, At: now}, me, now),
	} {
		if !next.Trace.IsZero() {
			t.Errorf("%s: it has the trace %s of the attempt before", name, next.Trace)
		}
	}
}

// A traceparent of another form is refused.
func TestParseTraceParent_TakesOneForm(t *testing.T) {
	for text, want := range map[string]struct{ ok, sampled bool }{
		"00-" + traceText + "-01":                  {true, true},
		"00-" + traceText + "-00":                  {true, false},
		"00-" + traceText + "-03":                  {true, true},
		"":                                         {},
		"01-" + traceText + "-01":                  {},
		"00-" + traceText + "-0g":                  {},
		"00-" + traceText + "-0A":                  {},
		"00-" + traceText + "-01-more":             {},
		"00_" + traceText + "_01":                  {},
		"00-" + strings.ToUpper(traceText) + "-01": {},
		"00-" + strings.Repeat("0", 32) + traceText[32:] + "-01": {},
	} {
		got, sampled, err := ParseTraceParent(text)
		if (err == nil) != want.ok || want.ok && sampled != want.sampled {
			t.Errorf("%q: got %v, sampled %v, error %v", text, got, sampled, err)
		}
		if want.ok && got.String() != traceText {
			t.Errorf("%q: got the trace %s", text, got)
		}
	}
}
