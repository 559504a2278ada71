package sqlhistory

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/elasticjob-go/elastic/history"
)

// kind is the meaning of an error of a database for the caller.
type kind uint8

const (
	kindOther   kind = iota // the database does not answer, is full, read-only, …
	kindRefused             // the database will never store these values
	kindSchema              // a table or column does not exist
	kindAgain               // a deadlock, or a lock of another writer
)

// fault returns an error of the database as it may be shown: with what was
// tried, and without passwords. The texts of drivers can have parts of a DSN.
func (d *DB) fault(what string, err error) error {
	if err == nil {
		return nil
	}
	shown := fmt.Errorf("%s in %s: %w", what, d.dialect.product(), hide(err))
	switch d.dialect.kind(err) {
	case kindRefused:
		return history.Refuse(shown)
	case kindSchema:
		d.checked.Store(false)
		return fmt.Errorf("%w: %w; run elasticctl history init, or set Options.Migrate", history.ErrIncompatible, shown)
	}
	return shown
}

// The forms of passwords in texts of drivers.
var (
	passwordOption = regexp.MustCompile(`(?i)(pass(?:word|wd)?|pwd)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&;'"]+)`)
	passwordURL    = regexp.MustCompile(`([a-zA-Z0-9+.-]+://[^:/@\s"'` + "`" + `]*):[^\s"'` + "`" + `]*@`)
	passwordMySQL  = regexp.MustCompile(`([^\s:/@"'` + "`" + `]+):[^\s"'` + "`" + `]*@(tcp|unix|udp|cloudsql)\b`)
)

// hide returns an error without the passwords in its text. The causes that
// callers ask for stay.
func hide(err error) error {
	text := err.Error()
	text = passwordURL.ReplaceAllString(text, "$1:…@")
	text = passwordMySQL.ReplaceAllString(text, "$1:…@$2")
	text = passwordOption.ReplaceAllString(text, "$1=…")
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, cause) {
			return &hidden{text, cause}
		}
	}
	return errors.New(text)
}

// hidden is an error with a safe text and a safe cause.
type hidden struct {
	text  string
	cause error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.cause }

// kind classifies an error by the codes that drivers give it. No driver is
// imported, so the codes are found by the forms that drivers share.
func (d Dialect) kind(err error) kind {
	for ; err != nil; err = errors.Unwrap(err) {
		k := kindOther
		switch d {
		case Postgres:
			if e, ok := err.(interface{ SQLState() string }); ok {
				k = kindOfState(e.SQLState())
			}
		case MySQL:
			k = kindOfMySQL(field(err, "Number"))
		case SQLite:
			k = kindOfSQLite(err)
		}
		if k != kindOther {
			return k
		}
	}
	return kindOther
}

func kindOfState(state string) kind {
	switch {
	case strings.HasPrefix(state, "22"), strings.HasPrefix(state, "23"), state == "54000":
		return kindRefused
	case state == "42P01", state == "42703", state == "3F000":
		return kindSchema
	case state == "40001", state == "40P01":
		return kindAgain
	}
	return kindOther
}

func kindOfMySQL(number int64) kind {
	switch number {
	case 1048, 1062, 1264, 1265, 1292, 1366, 1406, 1690, 3140, 1153: // 1153: a packet is too large
		return kindRefused
	case 1146, 1054, 1049:
		return kindSchema
	case 1213, 1205:
		return kindAgain
	}
	return kindOther
}

func kindOfSQLite(err error) kind {
	var code int64
	if e, ok := err.(interface{ Code() int }); ok {
		code = int64(e.Code())
	} else {
		code = field(err, "Code")
	}
	text := err.Error()
	switch {
	case code&0xff == 5, code&0xff == 6: // busy, locked
		return kindAgain
	case code&0xff == 18, code&0xff == 19, code&0xff == 20: // too big, constraint, mismatch
		return kindRefused
	case strings.Contains(text, "no such table"), strings.Contains(text, "no such column"),
		strings.Contains(text, "has no column named"):
		return kindSchema
	}
	return kindOther
}

// field returns an integer field of an error of a driver; 0 if it has none.
func field(err error, name string) int64 {
	v := reflect.ValueOf(err)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return 0
	}
	f := v.FieldByName(name)
	switch {
	case !f.IsValid():
		return 0
	case f.CanInt():
		return f.Int()
	case f.CanUint():
		return int64(f.Uint())
	}
	return 0
}
