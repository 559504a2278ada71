package failover

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Trace names the span of a run in a distributed trace: 24 bytes, as in the W3C
// Trace Context. The zero Trace is none. A Trace with only one of the two
// fields set is none either, and is not stored.
type Trace struct {
	ID   [16]byte // of the trace
	Span [8]byte  // of the run within it
}

// traceBytes is the size of the text of a Trace.
const traceBytes = 2*16 + 1 + 2*8

// IsZero reports whether there is no trace.
func (t Trace) IsZero() bool { return t.ID == [16]byte{} || t.Span == [8]byte{} }

// String returns the text of the trace: 32 digits of the trace, a hyphen and 16
// digits of the span, hexadecimal in lower case. It is empty if there is none.
func (t Trace) String() string {
	if t.IsZero() {
		return ""
	}
	return string(t.append(nil))
}

// append appends the text of a trace that is not zero.
func (t Trace) append(b []byte) []byte {
	b = hex.AppendEncode(b, t.ID[:])
	b = append(b, '-')
	return hex.AppendEncode(b, t.Span[:])
}

// ParseTrace reads the text that String returns. It accepts no other text: no
// capital letters, no other length, and no trace or span of zeros. The error
// does not repeat the text.
func ParseTrace(s string) (t Trace, err error) {
	const want = "want 32 digits, a hyphen and 16 digits, hexadecimal in lower case"
	if len(s) != traceBytes || s[32] != '-' {
		return Trace{}, fmt.Errorf("a trace of %d bytes: %s", len(s), want)
	}
	for i, c := range []byte(s) {
		if i != 32 && !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return Trace{}, errors.New("a trace with another character: " + want)
		}
	}
	_, _ = hex.Decode(t.ID[:], []byte(s[:32]))
	_, _ = hex.Decode(t.Span[:], []byte(s[33:]))
	if t.IsZero() {
		return Trace{}, errors.New("a trace or a span of zeros: want neither")
	}
	return t, nil
}

// traceParentBytes is the size of a traceparent.
const traceParentBytes = len("00-") + traceBytes + len("-01")

// ParseTraceParent reads a traceparent of the W3C Trace Context, version 00:
// its trace, and whether it is sampled. It accepts no other text. The error
// does not repeat the text.
func ParseTraceParent(s string) (t Trace, sampled bool, err error) {
	if len(s) != traceParentBytes || s[:3] != "00-" || s[52] != '-' {
		return Trace{}, false, fmt.Errorf("a traceparent of %d bytes: want 00, trace, span and flags, of 55 bytes", len(s))
	}
	var flags [1]byte
	if _, err := hex.Decode(flags[:], []byte(s[53:])); err != nil || s[53:] != hex.EncodeToString(flags[:]) {
		return Trace{}, false, errors.New("a traceparent whose flags are not two digits, hexadecimal in lower case")
	}
	t, err = ParseTrace(s[3:52])
	return t, flags[0]&1 == 1, err
}
