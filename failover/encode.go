package failover

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
)

// Encode returns the stored form of the record. Times outside the years 1 to
// 9999 in UTC, which only a very wrong clock shows, are moved to the nearest
// time within.
//
// The bytes are those of encoding/json for the type document, without its
// reflection: a fire encodes two records. A record of up to 512 bytes takes one
// allocation.
func (r Record) Encode() []byte {
	var buf [512]byte
	b := r.append(buf[:0])
	return append(make([]byte, 0, len(b)), b...)
}

// append appends the stored form, whose fields are in the order of document.
func (r *Record) append(b []byte) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, version, 10)
	b = appendText(append(b, `,"state":`...), r.State.String())
	b = appendTime(b, `,"fire":`, r.Fire)
	if r.Trigger != 0 {
		b = strconv.AppendUint(append(b, `,"trigger":`...), r.Trigger, 10)
	}
	if r.IsManual() {
		b = append(b, `,"manual":{`...)
		b = appendMoment(append(b, `"at":`...), years.Clamp(r.Manual.At))
		b = appendUnlessEmpty(b, `,"parameter":`, r.Manual.Parameter)
		b = append(b, '}')
	}
	b = strconv.AppendUint(append(b, `,"fence":`...), r.Fence, 10)
	b = appendUnlessEmpty(b, `,"owner":`, r.Owner)
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(r.Attempt), 10)
	if r.HandOvers != 0 {
		b = strconv.AppendInt(append(b, `,"handOvers":`...), int64(r.HandOvers), 10)
	}
	b = appendMoment(append(b, `,"started":`...), years.Clamp(r.Started))
	b = appendTime(b, `,"ended":`, r.Ended)
	b = appendUnlessEmpty(b, `,"result":`, string(r.Result))
	b = appendUnlessEmpty(b, `,"error":`, r.Error)
	b = r.Done.append(b)
	if ms := r.CarryOn.Milliseconds(); ms != 0 {
		b = strconv.AppendInt(append(b, `,"carryOn":`...), ms, 10)
	}
	if !r.Trace.IsZero() {
		b = r.Trace.append(append(b, `,"trace":"`...))
		b = append(b, '"')
	}
	return append(b, '}')
}

// append appends the field done, unless it is empty.
func (d Done) append(b []byte) []byte {
	for i := range d.len() {
		b = append(b, ',')
		if i == 0 {
			b = append(b, `"done":[`...)
		}
		b = d.at(i).append(b)
	}
	if d.len() > 0 {
		b = append(b, ']')
	}
	return b
}

// append appends the form of MarshalJSON.
func (s Series) append(b []byte) []byte {
	first := s.First
	if s.Failed {
		first = -first
	}
	if s.Count == 1 {
		return strconv.AppendInt(b, first, 10)
	}
	b = strconv.AppendInt(append(b, '['), first, 10)
	b = strconv.AppendInt(append(b, ','), int64(s.Step), 10)
	b = strconv.AppendInt(append(b, ','), int64(s.Count), 10)
	return append(b, ']')
}

// appendTime appends a field with a time, unless that is zero.
func appendTime(b []byte, field string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendMoment(append(b, field...), years.Clamp(t))
}

// appendMoment appends a time in UTC within the years 1 to 9999, or zero.
func appendMoment(b []byte, t time.Time) []byte {
	b = t.AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"')
}

// appendUnlessEmpty appends a field with a text, unless that is empty.
func appendUnlessEmpty(b []byte, field, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, field...), text)
}

// appendText appends a string of JSON with the escapes of encoding/json: also
// for <, > and &, for U+2028 and U+2029, and U+FFFD for bytes that are not
// UTF-8.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	plain := 0 // what precedes it is written
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
				i++
				continue
			}
			b = append(b, s[plain:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, `\b`...)
			case '\f':
				b = append(b, `\f`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[plain:i]...), `\ufffd`...)
			plain = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[plain:i]...), `\u202`...)
			b = append(b, digits[r&15])
			plain = i + size
		}
		i += size
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}
