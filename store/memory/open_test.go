package memory_test

import (
	"errors"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

func TestURLsShareAServerUntilTheLastIsClosed(t *testing.T) {
	open := func(url string) *store.Portable {
		s, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b, other := open("memory://h/ns"), open("memory://h/ns"), open("memory://h/ns2")
	defer other.Close(t.Context())
	if _, err := a.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("k", nil)}}); err != nil {
		t.Fatal(err)
	}
	a.Close(t.Context())
	if _, err := b.Get(t.Context(), "k"); err != nil {
		t.Fatalf("second client: %v", err)
	}
	if _, err := other.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("other namespace: %v", err)
	}
	b.Close(t.Context())
	b.Close(t.Context())
	c := open("memory://h/ns")
	defer c.Close(t.Context())
	if _, err := c.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("after the last Close: %v", err)
	}
}
