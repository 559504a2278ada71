package elasticjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A mark of a live instance whose run has ended by the tracing tables is found,
// and is left to a person. As long as another shard of the same execution goes
// on, or nothing is known, the mark stands.
func TestDoctor_AsksTheTracingTables(t *testing.T) {
	g := newStage(t)
	for _, row := range []struct {
		name  string
		marks []int
		ended []int // shards with an end in the tables
		err   error
		found []int
	}{
		{name: "ended", marks: []int{1}, ended: []int{1}, found: []int{1}},
		{name: "goes on", marks: []int{1}},
		{name: "one of two", marks: []int{0, 1}, ended: []int{1}},
		{name: "both", marks: []int{0, 1}, ended: []int{0, 1}, found: []int{0, 1}},
		{name: "no database", marks: []int{1}, err: errors.New("no route to host")},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := g.scene(t)
			s.b.remove("sharding/0/running")
			s.b.remove("leader/sharding/necessary")
			s.b.put("sharding/0/instance", s.b.id)
			for _, item := range row.marks {
				s.b.put(shardPath(item, "running"), s.b.id)
			}
			snapshot, err := s.client.Collect(context.Background(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			later := 5 * time.Minute
			snapshot.At = snapshot.At.Add(later)
			d := &Doctor{Client: s.client, Options: Options{Settle: time.Second, Zone: "UTC"}}
			d.Ended = func(_ context.Context, job string, shard int, instance string, since time.Time) (time.Time, bool,
				error) {
				if job != "demo" || instance != s.b.id || since.IsZero() {
					t.Errorf("asked about %s, %s, %v", job, instance, since)
				}
				return since, slices.Contains(row.ended, shard), row.err
			}
			seen := NewSeen()
			seen.Observe(snapshot, snapshot, true)
			if err := d.askEnds(context.Background(), seen, snapshot); !errors.Is(err, row.err) {
				t.Fatalf("got %v, want %v", err, row.err)
			}
			var found []int
			for _, f := range Examine(snapshot, seen, d.Options) {
				if f.Rule != OldRunning {
					continue
				}
				if f.Class != Ask || !strings.Contains(fmt.Sprint(f.Why), "JOB_EXECUTION_LOG") {
					t.Errorf("got %+v", f)
				}
				found = append(found, *f.Shard)
			}
			if !slices.Equal(found, row.found) {
				t.Errorf("found %v, want %v", found, row.found)
			}
		})
	}
}
