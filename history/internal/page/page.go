// Package page encodes the position in a list of history rows from which the
// next page goes on.
package page

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
)

// Cursor is the last row of a page, by the columns that the list is ordered by.
type Cursor struct {
	Query string   `json:"q"`           // the fingerprint of the query
	At    int64    `json:"t"`           // microseconds since 1970
	Ints  []int64  `json:"i,omitempty"` // the other columns
	Texts []string `json:"s,omitempty"`
}

// maxCursor bounds the text of a cursor, which comes from outside.
const maxCursor = 4 << 10

// Fingerprint returns a short text for a query, without its cursor and limit.
func Fingerprint(parts ...any) string {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q", fmt.Sprintf("%+v", parts))
	return fmt.Sprintf("%x", h.Sum64())
}

// Encode returns the cursor as text for a URL.
func (c Cursor) Encode() string {
	b, _ := json.Marshal(c) // it has no value that cannot be encoded
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads a cursor. It returns nil for the first page, whose cursor is
// empty. ints and texts are how many of each the cursor must have.
func Decode(text, query string, ints, texts int) (*Cursor, error) {
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > maxCursor {
		return nil, errors.New("the cursor is not one that a page had as Next")
	}
	var c Cursor
	if json.Unmarshal(b, &c) != nil || len(c.Ints) != ints || len(c.Texts) != texts {
		return nil, errors.New("the cursor is not one that a page had as Next")
	}
	if c.Query != query {
		return nil, errors.New("the cursor belongs to another query; ask for the first page again")
	}
	return &c, nil
}
