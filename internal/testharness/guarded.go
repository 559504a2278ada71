package testharness

import (
	"context"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/store"
)

// Guarded returns a namespace on the server with authentication.
func (r *remote) Guarded(testing.TB) conformance.Guarded {
	return &guarded{as: r.startGuarded(), name: namespace()}
}

type guarded struct {
	as    func(t testing.TB, ns string, who conformance.Stranger) (url string, secrets []string)
	name  string
	owner string // the owner's URL, once there is one
}

func (g *guarded) Open(t testing.TB) store.Store {
	t.Helper()
	if g.owner == "" {
		g.owner, _ = g.as(t, g.name, "")
	}
	s, err := store.Open(t.Context(), g.owner)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (g *guarded) OpenAs(t testing.TB, who conformance.Stranger) (store.Store, []string, error) {
	t.Helper()
	url, secrets := g.as(t, g.name, who)
	if url == "" {
		t.Skipf("no user is there %s: every key is for its owner alone", who)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s, err := store.Open(ctx, url)
	if err != nil {
		return nil, secrets, err
	}
	return s, secrets, nil
}
