package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// client is one store on the namespace, under the checks of store.Portable.
type client struct {
	*store.Portable
	t      *test
	opened store.Store // the store that the harness returned
	number int         // in the history
}

// open opens one more store, which is closed with the case.
func (t *test) open() *client {
	t.Helper()
	return t.wrap(t.ns.Open(t.TB))
}

// wrap puts what a harness opened under the checks of store.Portable, and
// closes it with the case.
func (t *test) wrap(opened store.Store) *client {
	p, ok := opened.(*store.Portable)
	if !ok {
		p = store.NewPortable(opened, store.Config{})
	}
	t.caps = p.Caps()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p.Close(ctx)
	})
	return &client{Portable: p, t: t, opened: opened, number: int(t.opened.Add(1))}
}

// do commits a transaction without conditions and returns the version of its
// last write.
func (c *client) do(ss store.Session, ops ...store.Op) store.Version {
	c.t.Helper()
	r := c.commit(store.Txn{Session: ss, Do: ops})
	return r.Versions[len(ops)-1]
}

func (c *client) commit(t store.Txn) store.Result {
	c.t.Helper()
	r, err := insist(c.t, func() (store.Result, error) { return c.Commit(c.t.ctx(), t) })
	if err != nil {
		c.t.Fatalf("commit %s: %v", text(t), err)
	}
	if len(r.Versions) != len(t.Do) {
		c.t.Fatalf("commit %s: got %d versions, want %d", text(t), len(r.Versions), len(t.Do))
	}
	return r
}

// conflicts commits a transaction that must be refused because of key.
func (c *client) conflicts(t store.Txn, key string, reason store.ConflictReason) {
	c.t.Helper()
	_, err := c.Commit(c.t.ctx(), t)
	c.t.wantConflict(text(t), err, key, reason)
}

func (c *client) get(key string) store.Entry {
	c.t.Helper()
	e, err := insist(c.t, func() (store.Entry, error) { return c.Get(c.t.ctx(), key) })
	if err != nil {
		c.t.Fatalf("get %q: %v", key, err)
	}
	if e.Key != key || e.Version == 0 {
		c.t.Fatalf("get %q: got key %q, version %d", key, e.Key, e.Version)
	}
	return e
}

func (c *client) wantValue(key, want string) {
	c.t.Helper()
	if got := c.get(key); string(got.Value) != want {
		c.t.Fatalf("get %q: got %q, want %q", key, got.Value, want)
	}
}

func (c *client) wantAbsent(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		e, err := c.Get(c.t.ctx(), key)
		if !errors.Is(err, store.ErrNotFound) {
			c.t.Fatalf("get %q: got %v, %v, want ErrNotFound", key, e, err)
		}
	}
}

func (c *client) list(prefix string) []store.Entry {
	c.t.Helper()
	entries, err := insist(c.t, func() ([]store.Entry, error) { return c.List(c.t.ctx(), prefix) })
	if err != nil {
		c.t.Fatalf("list %q: %v", prefix, err)
	}
	return entries
}

// wantKeys fails the case unless exactly these keys are below prefix, in this
// order.
func (c *client) wantKeys(prefix string, want ...string) {
	c.t.Helper()
	if got := keys(c.list(prefix)); !slices.Equal(got, want) {
		c.t.Fatalf("list %q: got %q, want %q", prefix, got, want)
	}
}

// session starts a session that lives until the case ends; zero is the default
// TTL, which nothing waits for.
func (c *client) session(ttl time.Duration) store.Session {
	c.t.Helper()
	ss, err := insist(c.t, func() (store.Session, error) {
		return c.NewSession(c.t.ctx(), store.SessionOptions{TTL: ttl, Name: "conformance"})
	})
	if err != nil {
		c.t.Fatalf("new session: %v", err)
	}
	return ss
}

func keys(entries []store.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Key)
	}
	return out
}

// text shows a transaction in a message.
func text(t store.Txn) string {
	var b strings.Builder
	for _, c := range t.If {
		fmt.Fprintf(&b, "if %s@%d ", c.Key, c.Version)
	}
	for _, op := range t.Do {
		value := op.Value
		if len(value) > 20 {
			value = value[:20]
		}
		fmt.Fprintf(
			&b, "%s %s=%q ",
			[...]string{"?", "create", "create-ephemeral", "set", "delete"}[min(op.Kind, 4)], op.Key, value,
		)
	}
	return strings.TrimSpace(b.String())
}
