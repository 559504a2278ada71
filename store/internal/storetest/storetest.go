// Package storetest has what the tests of several drivers say again and again.
// What a driver promises is checked by package conformance; the tests that use
// this package look at what is particular to one backend.
package storetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Patience is how long a test waits for what must happen. Nothing is late by it
// when all is well.
const Patience = 20 * time.Second

// Main runs a package's tests. Most of them wait for a session to end, so more
// of them can run at once than there are processors.
func Main(m *testing.M) {
	divert()
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}

var namespaces atomic.Int64

// Namespace returns a fresh namespace.
func Namespace() string { return fmt.Sprintf("test%d-%d", os.Getpid(), namespaces.Add(1)) }

// Bounded returns a context for at most a time, which does not end with the
// test's own: cleanup needs it.
func Bounded(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// Open opens a store as a program does, and closes it after the test.
func Open(t testing.TB, rawURL string, patience time.Duration) (*store.Portable, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := store.Open(ctx, rawURL)
	if err == nil {
		t.Cleanup(func() { s.Close(Bounded(t, time.Second)) })
	}
	return s, err
}

// MustOpen is Open of a store that is there.
func MustOpen(t testing.TB, rawURL string) *store.Portable {
	t.Helper()
	s, err := Open(t, rawURL, Patience)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Do is a transaction without a session and without conditions.
func Do(ops ...store.Op) store.Txn { return store.Txn{Do: ops} }

// Commit commits what must be committed.
func Commit(t testing.TB, s store.Store, txn store.Txn) []store.Version {
	t.Helper()
	r, err := s.Commit(Bounded(t, Patience), txn)
	if err != nil {
		t.Fatal(err)
	}
	return r.Versions
}

// Background runs a commit and hands over its error.
func Background(ctx context.Context, s store.Store, txn store.Txn) <-chan error {
	failed := make(chan error, 1)
	go func() {
		_, err := s.Commit(ctx, txn)
		failed <- err
	}()
	return failed
}

// Read returns the value of a key, or "-" if it is absent.
func Read(t testing.TB, s store.Store, key string) string {
	t.Helper()
	e, err := s.Get(Bounded(t, Patience), key)
	if errors.Is(err, store.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(e.Value)
}

// Await waits for a condition.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Equal reports a difference.
func Equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// classes of errors; an error must be in exactly one.
var classes = []error{store.ErrNotFound, store.ErrConflict, store.ErrSessionLost, store.ErrUnknown, store.ErrUnavailable,
	store.ErrTooLarge, store.ErrInvalid, store.ErrPermission, store.ErrClosed}

// WantError ends the test unless an error is in one class of the store's, and
// in no other.
func WantError(t testing.TB, err, want error) {
	t.Helper()
	var in []error
	for _, c := range classes {
		if errors.Is(err, c) {
			in = append(in, c)
		}
	}
	if len(in) != 1 || in[0] != want {
		t.Fatalf("got the error %v, in the classes %v; want %v", err, in, want)
	}
}

// WantConflict ends the test unless an error is a conflict of a key for a
// reason.
func WantConflict(t testing.TB, err error, key string, reason store.ConflictReason) {
	t.Helper()
	var c *store.ConflictError
	if !errors.As(err, &c) || c.Key != key || c.Reason != reason {
		t.Fatalf("got %v, want a conflict: %s %s", err, key, reason)
	}
}

// Mention fails the test unless an error says each of the words.
func Mention(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not mention %q", err, word)
		}
	}
}

// DontMention fails the test if an error says one of the words, such as a
// password.
func DontMention(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(err.Error(), word) {
			t.Errorf("%q mentions %q", err, word)
		}
	}
}
