package adminhttp_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/admin/admintest"
	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// serve starts the API of a namespace. identify says who calls.
func serve(t *testing.T, s store.Store, identify adminhttp.Identify) (url string) {
	t.Helper()
	a, err := admin.New(s, admin.As("the server"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(context.Background()) })
	h, err := adminhttp.New(adminhttp.Options{Admin: a, Identify: identify})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// The API holds through HTTP: the same suite as on the stores.
func TestAPI_OverHTTP(t *testing.T) {
	admintest.Run(t, func(t *testing.T) *admintest.World {
		server := memory.NewServer()
		p := store.NewPortable(server.Connect("admin"), store.Config{})
		t.Cleanup(func() { p.Close(context.Background()) })
		url := serve(t, p, adminhttp.Everyone("li", adminhttp.RoleAdmin))
		c, err := adminhttp.NewClient(url)
		if err != nil {
			t.Fatal(err)
		}
		return &admintest.World{
			API:    c,
			Counts: p.Counts,
			Open: func(t *testing.T) store.Store {
				s := store.NewPortable(server.Connect("other"), store.Config{})
				t.Cleanup(func() { s.Close(context.Background()) })
				return s
			},
		}
	})
}
