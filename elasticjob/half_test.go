package elasticjob

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// everything returns all nodes below a path with their values and versions.
func everything(t *testing.T, conn *zk.Conn, path string) map[string]string {
	t.Helper()
	nodes := map[string]string{}
	var walk func(string)
	walk = func(path string) {
		data, stat, err := conn.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		nodes[path] = fmt.Sprintf("%s (%d)", data, stat.Czxid)
		names, _, err := conn.Children(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			walk(path + "/" + name)
		}
	}
	walk(path)
	return nodes
}

// A job of which only a part is there is looked at and imported as far as it is
// there. What is missing is no finding unless a shard can't run because of it,
// and nothing is written that Java does not need.
func TestDoctor_HalfAJob(t *testing.T) {
	g := newStage(t)
	const (
		live   = "instances/10.0.0.2@-@8"
		shard0 = "sharding/0/instance"
		shard1 = "sharding/1/instance"
		owner  = "10.0.0.2@-@8"
	)
	for _, row := range []struct {
		name    string
		nodes   []string // paths and values
		rules   []Rule
		writes  []string // nodes that a repair adds or removes
		foreign bool     // it is no job
		left    bool     // an import leaves it out
	}{
		{name: "config alone", nodes: []string{"config", demoConfig}},
		{name: "servers without config", nodes: []string{"servers/10.0.0.2", "ENABLED"}, foreign: true},
		{name: "instances without config", nodes: []string{live, ""}, foreign: true},
		{name: "sharding without config", nodes: []string{shard0, owner}, foreign: true},
		{
			name:  "an empty config",
			nodes: []string{"config", "", live, "", shard0, owner},
			rules: []Rule{Unreadable}, left: true,
		},
		{
			name:  "a config that is none",
			nodes: []string{"config", "{\"jobName\": [", "sharding/0/running", "10.0.0.9@-@1"},
			rules: []Rule{Unreadable}, left: true,
		},
		{
			name:  "sharding without leader, instances and servers",
			nodes: []string{"config", demoConfig, shard0, "10.0.0.9@-@1", shard1, "10.0.0.9@-@1"},
		},
		{
			name:   "a mark without anything else",
			nodes:  []string{"config", demoConfig, "sharding/0/running", "10.0.0.9@-@1"},
			rules:  []Rule{DeadRunning},
			writes: []string{"sharding/0/running"},
		},
		{
			name:   "instances without servers",
			nodes:  []string{"config", demoConfig, live, "", shard0, owner, shard1, owner},
			rules:  []Rule{MissingServer},
			writes: []string{"servers", "servers/10.0.0.2"},
		},
		{
			name:  "servers without instances",
			nodes: []string{"config", demoConfig, "servers/10.0.0.2", "ENABLED"},
		},
		{
			name:  "leader without sharding",
			nodes: []string{"config", demoConfig, "leader/election/latch", "", "leader/failover/items", ""},
		},
		{
			name:  "shards without marks",
			nodes: []string{"config", demoConfig, "sharding/0", "", "sharding/1", "", "leader/sharding/necessary", ""},
		},
		{
			name:  "marks without values",
			nodes: []string{"config", demoConfig, live, "", "sharding/0/running", "", "sharding/0/failover", ""},
			rules: []Rule{MissingServer}, writes: []string{"servers", "servers/10.0.0.2"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.scenes++
			base := fmt.Sprintf("/half%d/demo", g.scenes)
			j := &java{t: t, conn: g.conn, base: base, id: owner}
			j.put("", "")
			for i := 0; i < len(row.nodes); i += 2 {
				j.create(row.nodes[i], row.nodes[i+1], 0)
			}
			before := everything(t, g.conn, base)
			client, _ := g.doctorOf(base)
			d := &Doctor{Client: client, Options: Options{Settle: time.Millisecond, Zone: "UTC"}, Repair: true}
			report, err := d.Look(context.Background())
			_, importErr := client.ReadJobs(context.Background(), ImportOptions{Zone: "UTC", Horizon: time.Hour})
			if row.foreign {
				for _, err := range []error{err, importErr} {
					if err == nil || !strings.Contains(err.Error(), store.ErrInvalid.Error()) {
						t.Errorf("got %v, want that it is no namespace of ElasticJob's", err)
					}
				}
				row.rules = nil
				report = &Report{}
			} else if err != nil || importErr != nil {
				t.Fatalf("look: %v, import: %v", err, importErr)
			}
			var rules []Rule
			for _, o := range report.Outcomes {
				rules = append(rules, o.Rule)
			}
			if !slices.Equal(rules, row.rules) {
				t.Errorf("found %v, want %v", rules, row.rules)
			}
			after := everything(t, g.conn, base)
			var writes []string
			for path := range maps.Keys(after) {
				if before[path] != after[path] {
					writes = append(writes, strings.TrimPrefix(path, base+"/"))
				}
			}
			for path := range maps.Keys(before) {
				if _, there := after[path]; !there {
					writes = append(writes, strings.TrimPrefix(path, base+"/"))
				}
			}
			slices.Sort(writes)
			if !slices.Equal(writes, row.writes) {
				t.Errorf("wrote %q, want %q", writes, row.writes)
			}
		})
	}
}

// The key of the pool has one name up to 3.0.4 and another from 3.0.5 on. Jobs
// of both versions can stand in one namespace; a job with both keys can be read
// by none, and it alone is told.
func TestDoctor_MixedConfigs(t *testing.T) {
	g := newStage(t)
	const (
		older = "jobExecutorServiceHandlerType: SINGLE_THREAD\n"
		newer = "jobExecutorThreadPoolSizeProviderType: SINGLE_THREAD\n"
	)
	jobs := map[string]string{"older": older, "newer": newer, "both": older + newer, "other": "unheardOf: 1\n"}
	for name, keys := range jobs {
		j := &java{t: t, conn: g.conn, base: "/mixed/" + name, id: "10.0.0.2@-@8"}
		j.put("config", strings.Replace(demoConfig, "jobName: demo", "jobName: "+name, 1)+keys)
	}
	client, _ := g.doctorOf("/mixed/demo")
	report, err := (&Doctor{Client: client}).Look(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, o := range report.Outcomes {
		told = append(told, fmt.Sprintf("%s %s", o.Job, o.Rule))
	}
	if want := []string{"both mixed-config", "other mixed-config"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	imported, err := client.ReadJobs(context.Background(), ImportOptions{Zone: "UTC", Horizon: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if len(imported.Jobs) != len(jobs) {
		t.Errorf("imported %d jobs, want %d: %+v", len(imported.Jobs), len(jobs), imported.Remarks)
	}
	for _, j := range imported.Jobs {
		if j.Job.Name != "other" && j.Job.MaxConcurrent != 1 {
			t.Errorf("%s: maxConcurrent is %d, want 1", j.Job.Name, j.Job.MaxConcurrent)
		}
	}
}
