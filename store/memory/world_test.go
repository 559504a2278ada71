package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// world is a server with clients that are closed at the end of the test.
type world struct {
	*testing.T
	server *memory.Server
}

// simulate runs f in a bubble, with the bubble's time.
func simulate(t *testing.T, f func(w world), options ...memory.Option) {
	vtime.Test(t, func(t *testing.T) { f(world{t, memory.NewServer(options...)}) })
}

func (w world) connect(name string) *memory.Client {
	c := w.server.Connect(name)
	w.Cleanup(func() { c.Heal(); c.OnRequest(nil); c.Close(context.Background()) })
	return c
}

func (w world) session(c *memory.Client, ttl time.Duration) store.Session {
	w.Helper()
	ss, err := c.NewSession(w.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		w.Fatalf("new session: %v", err)
	}
	return ss
}

func (w world) watch(c *memory.Client, prefix string) store.Watch {
	w.Helper()
	watch, err := c.Watch(w.Context(), prefix)
	if err != nil {
		w.Fatalf("watch %q: %v", prefix, err)
	}
	return watch
}

func (w world) commit(c *memory.Client, ss store.Session, do ...store.Op) {
	w.Helper()
	if _, err := c.Commit(w.Context(), store.Txn{Session: ss, Do: do}); err != nil {
		w.Fatalf("commit %v: %v", do, err)
	}
}

func (w world) next(watch store.Watch) store.Update {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	u, err := watch.Next(ctx)
	if err != nil {
		w.Fatalf("next: %v", err)
	}
	return u
}

func (w world) wantError(got, want error) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Fatalf("error: got %v, want %v", got, want)
	}
}

// wantDump compares what the server holds, as key=value.
func (w world) wantDump(want ...string) {
	w.Helper()
	var got []string
	for _, e := range w.server.Dump() {
		got = append(got, fmt.Sprintf("%s=%s", e.Key, e.Value))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Fatalf("store: got %v, want %v", got, want)
	}
}

// within returns a context with a timeout.
func (w world) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), d)
	w.Cleanup(cancel)
	return ctx
}
