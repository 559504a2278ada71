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

// follower reads a watch, keeps its state, and checks each Update.
type follower struct {
	t       *test
	prefix  string
	watch   store.Watch
	state   map[string]store.Entry
	stale   bool
	updates int
	resets  int
	asOf    time.Time
	last    store.Update
}

// follow starts a watch, which is closed with the case.
func (t *test) follow(c *client, prefix string) *follower {
	t.Helper()
	w, err := insist(t, func() (store.Watch, error) { return c.Watch(t.ctx(), prefix) })
	if err != nil {
		t.Fatalf("watch %q: %v", prefix, err)
	}
	t.Cleanup(func() { w.Close() })
	return &follower{t: t, prefix: prefix, watch: w, state: map[string]store.Entry{}}
}

// next waits for one Update and applies it. It may be called from any
// goroutine, one at a time.
func (f *follower) next(ctx context.Context) (store.Update, error) {
	u, err := f.watch.Next(ctx)
	if err != nil {
		return u, err
	}
	if err := f.check(u); err != nil {
		return u, fmt.Errorf("watch %q, update %d: %w: %s", f.prefix, f.updates, err, show(u))
	}
	if u.Reset {
		clear(f.state)
		f.resets++
	}
	for _, e := range u.Entries {
		f.state[e.Key] = e
	}
	for _, key := range u.Deleted {
		delete(f.state, key)
	}
	f.stale, f.last = u.Stale, u
	f.updates++
	return u, nil
}

// check checks the promises that hold for every Update.
func (f *follower) check(u store.Update) error {
	if f.updates == 0 && !u.Reset {
		return errors.New("the first is no Reset")
	}
	below := func(key string) bool { return f.prefix == "" || strings.HasPrefix(key, f.prefix+"/") }
	for i, e := range u.Entries {
		known, again := f.state[e.Key]
		switch {
		case !below(e.Key):
			return fmt.Errorf("key %q is not below the prefix", e.Key)
		case i > 0 && u.Entries[i-1].Key >= e.Key:
			return errors.New("entries are not sorted")
		case e.Version == 0 || e.Created == 0:
			return fmt.Errorf("key %q has version %d, created %d", e.Key, e.Version, e.Created)
		case again && e.Created < known.Created:
			return fmt.Errorf("key %q went back to an earlier creation", e.Key)
		case again && !u.Reset && !f.stale && !u.Stale && e.Created == known.Created && e.Version == known.Version:
			return fmt.Errorf("key %q is told twice in the same version", e.Key)
		}
	}
	for i, key := range u.Deleted {
		switch {
		case !below(key):
			return fmt.Errorf("deleted key %q is not below the prefix", key)
		case i > 0 && u.Deleted[i-1] >= key:
			return errors.New("deleted keys are not sorted")
		case u.Reset:
			return errors.New("a Reset with deleted keys")
		case slices.ContainsFunc(u.Entries, func(e store.Entry) bool { return e.Key == key }):
			return fmt.Errorf("key %q is both there and deleted", key)
		}
	}
	if u.Stale {
		return nil
	}
	if now := time.Now(); u.AsOf.IsZero() || u.AsOf.After(now) {
		return fmt.Errorf("AsOf is %v at %v", u.AsOf, now)
	}
	if u.AsOf.Before(f.asOf) {
		return fmt.Errorf("AsOf went back from %v", f.asOf)
	}
	f.asOf = u.AsOf
	return nil
}

// reset waits for the first Update.
func (f *follower) reset() store.Update {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.ctx(), patience)
	defer cancel()
	u, err := f.next(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

// until reads Updates until cond holds.
func (f *follower) until(what string, cond func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.ctx(), patience)
	defer cancel()
	for f.updates == 0 || !cond() {
		if _, err := f.next(ctx); err != nil {
			f.t.Fatalf("waiting until %s: %v\nlast update: %s\nstate: %q", what, err, show(f.last), f.keys())
		}
	}
}

// untilEqual reads Updates until the state is that of a List.
func (f *follower) untilEqual(want []store.Entry) {
	f.t.Helper()
	f.until(fmt.Sprintf("the watch agrees with %q", keys(want)), func() bool { return f.equal(want) })
}

func (f *follower) equal(want []store.Entry) bool {
	if f.stale || len(want) != len(f.state) {
		return false
	}
	for _, e := range want {
		got, ok := f.state[e.Key]
		if !ok || got.Version != e.Version || got.Created != e.Created || got.Owner != e.Owner ||
			string(got.Value) != string(e.Value) {
			return false
		}
	}
	return true
}

func (f *follower) keys() []string {
	var out []string
	for key := range f.state {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// show is an Update in a message.
func show(u store.Update) string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "{reset=%v stale=%v asOf=%s", u.Reset, u.Stale, u.AsOf.Format(time.StampMicro))
	for i, e := range u.Entries {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(u.Entries)-most)
			break
		}
		fmt.Fprintf(&b, " %s@%d", e.Key, e.Version)
	}
	for i, key := range u.Deleted {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(u.Deleted)-most)
			break
		}
		b.WriteString(" -" + key)
	}
	return b.String() + "}"
}
