// Package keyenc writes keys in the letters that any store carries in any of
// its interfaces: bytes besides letters, digits, '_', '.' and '-' are written
// =HH.
package keyenc

import (
	"strconv"
	"strings"
)

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '.' || b == '-'
}

// Segment escapes one segment of a key. A slash is escaped, too.
func Segment(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// Key escapes the segments of a key.
func Key(key string) string { return strings.ReplaceAll(Segment(key), "=2F", "/") }

// Undo undoes Key, and returns false for what Key returns of no key.
func Undo(escaped string) (string, bool) {
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		plain, ok := undo(s)
		if !ok {
			return "", false
		}
		segments[i] = plain
	}
	return strings.Join(segments, "/"), true
}

func undo(segment string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c == '=' {
			if i+2 >= len(segment) {
				return "", false
			}
			n, err := strconv.ParseUint(segment[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c = byte(n)
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), segment != "" && Key(b.String()) == segment
}
