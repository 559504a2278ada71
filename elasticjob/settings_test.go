package elasticjob

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An import of many jobs costs 3 reads a job, 1 for each server and 1 for each
// shard. It finds the disabled shards, and leaves foreign nodes out.
func TestImport_CountsReads(t *testing.T) {
	g := newStage(t)
	const jobs, shards, most = 40, 10, 40 * (3 + 1 + 10)
	root := "/import"
	paths := []string{root, root + "/foreign"}
	for i := range jobs {
		base := fmt.Sprintf("%s/job-%d", root, i)
		paths = append(paths, base, base+"/config", base+"/servers", base+"/servers/10.0.0.1", base+"/sharding")
		for item := range shards {
			paths = append(paths, fmt.Sprintf("%s/sharding/%d", base, item))
		}
	}
	paths = append(paths, root+"/job-7/sharding/3/disabled")
	fill(t, g.conn, paths)
	config := strings.Replace(demoConfig, "TotalCount: 2", fmt.Sprint("TotalCount: ", shards), 1)
	for i := range jobs {
		text := strings.Replace(config, "jobName: demo", fmt.Sprintf("jobName: job-%d", i), 1)
		if _, err := g.conn.Set(fmt.Sprintf("%s/job-%d/config", root, i), []byte(text), -1); err != nil {
			t.Fatal(err)
		}
	}
	client, gate := g.doctorOf(root + "/demo")
	got, err := client.ReadJobs(context.Background(), ImportOptions{Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Jobs) != jobs {
		t.Fatalf("got %d jobs, want %d: %+v", len(got.Jobs), jobs, got.Remarks)
	}
	for _, j := range got.Jobs {
		var want []int
		if j.Job.Name == "job-7" {
			want = []int{3}
		}
		if !slices.Equal(j.Job.DisabledShards, want) {
			t.Errorf("%s: got disabled shards %v, want %v", j.Job.Name, j.Job.DisabledShards, want)
		}
	}
	const ofNamespace = 3 // sync, children, and the config of the foreign node
	if gate.count > most+ofNamespace {
		t.Errorf("got %d reads, want at most %d", gate.count, most+ofNamespace)
	}
}
