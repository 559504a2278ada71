package memory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Two clients of one server, as two processes that share a store. One dies:
// what it held for as long as it lived is gone when its session has expired.
func ExampleServer() {
	ctx := context.Background()
	server := memory.NewServer()
	a, b := server.Connect("a"), server.Connect("b")

	session, err := a.NewSession(ctx, store.SessionOptions{Name: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := a.Commit(ctx, store.Txn{Session: session, Do: []store.Op{store.CreateEphemeral("instances/a", []byte("up"))}}); err != nil {
		fmt.Println(err)
		return
	}
	entry, err := b.Get(ctx, "instances/a")
	fmt.Println(string(entry.Value), err)

	a.Crash()
	server.ExpireSession(session.ID()) // in a test one would let virtual time pass
	_, err = b.Get(ctx, "instances/a")
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// up <nil>
	// true
}

// The store has done what it was asked, and the answer is lost: what can the
// caller know?
func ExampleFault() {
	ctx := context.Background()
	client := memory.NewServer().Connect("a")
	client.OnRequest(func(r memory.Request) memory.Fault {
		return memory.Fault{LoseReply: r.Kind == memory.Transact, Broken: true}
	})

	_, err := client.Commit(ctx, store.Txn{Do: []store.Op{store.Create("jobs/report", nil)}})
	fmt.Println(errors.Is(err, store.ErrUnknown))
	_, err = client.Get(ctx, "jobs/report")
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// All that was ever written, in the order of the store: for tests that check a
// protocol.
func ExampleServer_OnCommit() {
	server := memory.NewServer()
	server.OnCommit(func(c memory.Commit) { fmt.Println(c.Client, c.Cause, c.Do[0].Key) })

	client := server.Connect("a")
	_, err := client.Commit(context.Background(), store.Txn{Do: []store.Op{store.Create("jobs/report", nil)}})
	fmt.Println(err)
	// Output:
	// a committed jobs/report
	// <nil>
}
