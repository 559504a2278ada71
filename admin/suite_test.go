package admin_test

import (
	"context"
	"testing"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/admin/admintest"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The API holds on the memory store.
func TestAPI_OnMemory(t *testing.T) {
	admintest.Run(t, func(t *testing.T) *admintest.World {
		server := memory.NewServer()
		p := store.NewPortable(server.Connect("admin"), store.Config{})
		a, err := admin.New(p, admin.As("li"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			a.Close(context.Background())
			p.Close(context.Background())
		})
		return &admintest.World{
			API:    a,
			Counts: p.Counts,
			Open: func(t *testing.T) store.Store {
				s := store.NewPortable(server.Connect("other"), store.Config{})
				t.Cleanup(func() { s.Close(context.Background()) })
				return s
			},
		}
	})
}

// An answer that is lost is settled: the receipt says what the store holds.
func TestAPI_LostReplies(t *testing.T) {
	admintest.RunLost(t, func(t *testing.T) store.Store {
		s := store.NewPortable(memory.NewServer().Connect("admin"), store.Config{})
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	})
}
