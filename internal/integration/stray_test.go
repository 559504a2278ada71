package integration

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// A key that does not have exactly the form of one of ours, such as a copy
// made by hand, stops no job, whenever it appears and whatever it holds. Each
// instance that sees it reports it once.
func TestStray_KeysAreIgnored(t *testing.T) {
	spec := `{"v":2,"state":"job","rev":1,"changed":{"by":"a@1","at":"2020-01-01T00:00:00Z","via":"code"},` +
		`"spec":{"schedule":"* * * * * ?","shards":1,"sharding":"sticky","failover":true,` +
		`"maxAttempts":3,"misfire":"once","overlap":"queue","disabled":true,` +
		`"resharded":"2020-01-01T00:00:00Z","since":"2020-01-01T00:00:00Z"}}`
	assignment := `{"v":1,"epoch":9,"strategy":"sticky","shards":2,"instances":["ghost@1"],"owners":[0,0]}`
	signals := `{"v":1,"last":7,"triggers":[]}`
	instance := `{"v":2,"name":"ghost","weight":1,"state":"up","sets":["331d26d6d8f862e46ba900811be8a7a1"],"level":1,"exclusive":true,"started":"2020-01-01T00:00:00Z"}`
	for key, value := range map[string]string{
		"jobs/backup/report":               spec,
		"jobs/backup/2026/report":          "garbage",
		"jobs/report/report":               spec,
		"jobs/report/0":                    "garbage",
		"assignments/backup/report":        assignment,
		"assignments/report/report":        "garbage",
		"signals/backup/report":            signals,
		"signals/report/report":            "garbage",
		"instances/backup/ghost@1":         instance,
		"instances/backup/report":          "garbage",
		"runs/report/backup/0":             "garbage",
		"runs/report/00":                   "garbage",
		"runs/report/first":                "garbage",
		"runs/report/0/0":                  "garbage",
		"runs/backup/report/0":             "garbage",
		"runs/report/-1":                   "garbage",
		"runs/report/99999999999999999999": "garbage",
	} {
		for _, when := range []string{"before", "later"} {
			t.Run(key+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := elastictest.New(t)
					c.Add(elastic.Job{
						Name:     "report",
						Schedule: "* * * * * ?",
						Shards:   2,
						Failover: true,
					}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
					put := func() {
						operator := store.NewPortable(c.Server().Connect("operator"), store.Config{})
						if _, err := operator.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create(key,
							[]byte(value))}}); err != nil {
							t.Fatal(err)
						}
						if err := operator.Close(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					if when == "before" {
						put()
					}
					c.Start("a")
					c.Advance(20 * time.Second)
					if when == "later" {
						put()
					}
					c.Start("b")
					c.Advance(3 * time.Minute)
					before := len(c.Runs("report"))
					c.Crash("a")
					c.Advance(time.Minute)
					if n := len(c.Runs("report")) - before; before < 2*195 || n < 2*30 {
						t.Errorf("%d runs in 200 seconds, then %d in the minute after a crash", before, n)
					}
					seen := map[string]int{}
					for _, e := range eventsOf(c, observe.Stray, observe.Unreadable) {
						if e.Kind != observe.Stray || e.Subject != key || e.Code != "stray_key" {
							t.Errorf("unexpected event: %+v", e)
						}
						seen[e.Instance]++
					}
					for id, n := range seen {
						if n > 1 {
							t.Errorf("%s reported the key %d times", id, n)
						}
					}
					if !strings.HasPrefix(key, "runs/") && len(seen) == 0 { // records are not read continuously
						t.Error("no event reports the key")
					}
				})
			})
		}
	}
}
