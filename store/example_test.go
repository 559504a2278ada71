package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/memory"
)

// A counter that several processes change: each reads it, and writes if nobody
// was faster.
func ExampleStore() {
	ctx := context.Background()
	s, err := store.Open(ctx, "memory://counter")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)

	created, err := s.Commit(ctx, store.Txn{Do: []store.Op{store.Create("counter", []byte("0"))}})
	if err != nil {
		fmt.Println(err)
		return
	}
	count := func(to string, at store.Version) error {
		_, err := s.Commit(
			ctx,
			store.Txn{If: []store.Cond{store.At("counter", at)}, Do: []store.Op{store.Set("counter", []byte(to))}},
		)
		return err
	}
	fmt.Println(count("1", created.Versions[0]))
	err = count("1", created.Versions[0]) // by somebody who read the same
	fmt.Println(errors.Is(err, store.ErrConflict), err)
	// Output:
	// <nil>
	// true commit: store: condition not met: counter has changed
}

// State, and not events: a reader that is slow misses what was in between, and
// never the end.
func ExampleWatch() {
	ctx := context.Background()
	s, err := store.Open(ctx, "memory://watched")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)
	w, err := s.Watch(ctx, "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	first, err := w.Next(ctx)
	fmt.Println(first.Reset, len(first.Entries), err)

	for _, op := range []store.Op{store.Create("jobs/report", []byte("daily")), store.Set("jobs/report", []byte("hourly"))} {
		if _, err := s.Commit(ctx, store.Txn{Do: []store.Op{op}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	u, err := w.Next(ctx)
	fmt.Println(u.Entries[0].Key, string(u.Entries[0].Value), err)
	// Output:
	// true 0 <nil>
	// jobs/report hourly <nil>
}

// What belongs to a process that lives ends with its session.
func ExampleSession() {
	ctx := context.Background()
	s, err := store.Open(ctx, "memory://members")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)
	session, err := s.NewSession(ctx, store.SessionOptions{Name: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Commit(ctx, store.Txn{Session: session, Do: []store.Op{store.CreateEphemeral("members/a", nil)}})
	fmt.Println(err)
	fmt.Println(session.Close(ctx))
	members, err := s.List(ctx, "members")
	fmt.Println(len(members), err)
	// Output:
	// <nil>
	// <nil>
	// 0 <nil>
}

// The form of a URL, and what logs and errors show of it.
func ExampleParseURL() {
	c, err := store.ParseURL("etcd://jobs:secret@host1:2379,host2:2379/production?session_ttl=15s")
	fmt.Println(c.Hosts, c.Namespace, c.SessionTTL, err)
	fmt.Println(store.Redact("etcd://jobs:secret@host1:2379/production"))
	// Output:
	// [host1:2379 host2:2379] production 15s <nil>
	// etcd://jobs:***@host1:2379/production
}

// What a driver's store does not do by itself is done around it: keys are
// checked, calls have deadlines and are counted.
func ExamplePortable() {
	ctx := context.Background()
	s, err := store.Open(ctx, "memory://counted")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)
	before := s.Counts()
	_, err = s.List(ctx, "jobs")
	fmt.Println(err)
	_, err = s.Get(ctx, "jobs//report")
	fmt.Println(errors.Is(err, store.ErrInvalid), store.CheckKey("jobs//report") != nil)
	fmt.Println(s.Counts().Sub(before).Reads()) // what was refused was not sent
	// Output:
	// <nil>
	// true true
	// 1
}
