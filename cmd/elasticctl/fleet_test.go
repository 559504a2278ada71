package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// startFleet starts instances on a store, each with all jobs, and waits until
// they have joined. They leave when the test ends.
func startFleet(t *testing.T, url string, jobs []elastic.Job, names ...string) {
	t.Helper()
	for _, name := range names {
		s, err := elastic.Open(t.Context(), url, elastic.WithName(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			s.MustAdd(j, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		}
		go s.Run(context.Background())
		t.Cleanup(func() { s.Close() })
		select {
		case <-s.Ready():
		case <-time.After(30 * time.Second):
			t.Fatalf("%s did not join", name)
		}
	}
}

// The lists show a fleet that runs on etcd.
func TestLists_ShowFleetOnEtcd(t *testing.T) {
	url := testservers.StartEtcd(t).URL("fleet")
	jobs := []elastic.Job{
		{Name: "report", Schedule: "@every 1s", Shards: 4},
		{Name: "nightly", Schedule: "0 0 3 * * ?", Shards: 2},
	}
	startFleet(t, url, jobs, "web-1", "web-2")
	var shown string
	for range 100 {
		code, stdout, stderr := elasticctl(t, "job", "ls", "--store", url)
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		shown = stdout
		if strings.Contains(stdout, "ok") && strings.Count(stdout, "idle")+strings.Count(stdout, "running") == 2 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, want := range []string{"NAME", "report", "nightly", "ok"} {
		if !strings.Contains(shown, want) {
			t.Errorf("job ls does not show %q:\n%s", want, shown)
		}
	}
	_, instances, _ := elasticctl(t, "instance", "ls", "--store", url, "-o", "name")
	if got := strings.Fields(instances); len(got) != 2 || !strings.HasPrefix(got[0], "web-1@") {
		t.Errorf("instance ls -o name: got %q", instances)
	}
	_, shards, _ := elasticctl(t, "shard", "ls", "report", "--store", url)
	if strings.Count(shards, "web-1@") != 2 || strings.Count(shards, "web-2@") != 2 {
		t.Errorf("shard ls: want two shards on each instance:\n%s", shards)
	}
	t.Log("\n" + shown + instances + shards)
}
