package adminhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"unicode/utf8"
)

// readBody reads the body of a request and refuses what a JSON decoder would
// change silently: bytes that are not UTF-8, and keys that occur twice.
func readBody(w http.ResponseWriter, r *http.Request) *Problem {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return requestProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody))
	case err != nil:
		return requestProblem(http.StatusBadRequest, "the body could not be read to its end")
	case !utf8.Valid(text):
		return requestProblem(http.StatusBadRequest, "the body is not UTF-8")
	}
	if err := checkKeys(text); err != nil {
		return requestProblem(http.StatusBadRequest, err.Error())
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return nil
}

// maxDepth bounds how deep the objects of a body lie in each other.
const maxDepth = 20

// checkKeys returns an error if a JSON object has a key twice. Other faults of
// the text are left to the decoder.
func checkKeys(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	var check func(depth int) error
	check = func(depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("the body is nested deeper than %d objects", maxDepth)
		}
		token, err := dec.Token()
		if err != nil {
			return nil
		}
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for dec.More() {
				key, err := dec.Token()
				name, ok := key.(string)
				if err != nil || !ok {
					return nil
				}
				if seen[name] {
					return fmt.Errorf("the body has the key %.80q twice; write it once", name)
				}
				seen[name] = true
				if err := check(depth + 1); err != nil {
					return err
				}
			}
			_, _ = dec.Token() // the end
		case json.Delim('['):
			for dec.More() {
				if err := check(depth + 1); err != nil {
					return err
				}
			}
			_, _ = dec.Token() // the end
		}
		return nil
	}
	return check(0)
}

// checkText returns an error if a string in v is not UTF-8: encoding it as JSON
// would change it.
func checkText(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return fmt.Errorf("a text must be UTF-8, is %.80q", v.String())
		}
	case reflect.Pointer, reflect.Interface:
		return checkText(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if err := checkText(v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkText(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if err := errors.Join(checkText(entries.Key()), checkText(entries.Value())); err != nil {
				return err
			}
		}
	}
	return nil
}
