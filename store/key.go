package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits on keys, in bytes. They leave room for a driver to escape every byte
// as three and still stay below what ZooKeeper and Consul take.
const (
	MaxSegment = 200
	MaxKey     = 900
)

// Reserved is a first segment that belongs to drivers: a key that starts with
// it is invalid in every call, and is never listed or watched. Drivers keep
// their session markers below it.
const Reserved = ".sys"

// CheckKey returns an error, an ErrInvalid, unless key is one that every
// backend can carry: slash-separated segments without a leading or trailing
// slash, each non-empty valid UTF-8 without NUL, not "." or "..", at most
// MaxSegment bytes, MaxKey bytes in all, and the first one not Reserved. A key
// must not be an ancestor of another key: what a backend makes of that is not
// defined.
//
// What a segment may hold besides is not restricted: drivers escape what their
// backend cannot carry.
func CheckKey(key string) error {
	if fault := keyFault(key); fault != "" {
		return fmt.Errorf("%w: key %q: %s", ErrInvalid, clip(key), fault)
	}
	return nil
}

// checkPrefix is CheckKey for a prefix: the empty one is the whole namespace.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(prefix)
}

func keyFault(key string) string {
	if len(key) > MaxKey {
		return fmt.Sprintf("has %d bytes, at most %d are allowed", len(key), MaxKey)
	}
	first := true
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return "must not be empty, nor begin or end with a slash, nor hold two in a row"
		case segment == "." || segment == "..":
			return `must not have "." or ".." as a segment`
		case len(segment) > MaxSegment:
			return fmt.Sprintf("has a segment of %d bytes, at most %d are allowed", len(segment), MaxSegment)
		case !utf8.ValidString(segment) || strings.ContainsRune(segment, 0):
			return "must be valid UTF-8 without NUL"
		case first && segment == Reserved:
			return `must not begin with "` + Reserved + `", which drivers keep for themselves`
		}
		first = false
	}
	return ""
}

// clip keeps a key that is far too long from filling a log line.
func clip(key string) string {
	const most = 80
	if len(key) <= most {
		return key
	}
	return key[:most] + "…"
}
