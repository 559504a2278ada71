package elasticjob

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

var (
	largeJobs = flag.Int("jobs", 40, "how many jobs TestReads_CountsAndTimes has")
	rate      = flag.Int("rate", DefaultRate, "how many reads a second TestReads_CountsAndTimes makes")
)

// readShards and readServers are the size of each job of the counting tests.
const (
	readShards  = 10
	readServers = 2
)

// namespace creates healthy jobs: two instances that run five shards each, and
// a leader. One shard of job-7 is disabled, and one node is no job.
func (g *stage) namespace(t *testing.T, root string, jobs int) {
	t.Helper()
	g.fillValues(t, []any{node(root, ""), node(root+"/foreign", "")})
	var ops []any
	for i := range jobs {
		base := fmt.Sprintf("%s/job-%d", root, i)
		config := strings.Replace(demoConfig, "TotalCount: 2", fmt.Sprint("TotalCount: ", readShards), 1)
		config = strings.Replace(config, "jobName: demo", fmt.Sprintf("jobName: job-%d", i), 1)
		ops = append(ops, node(base, "com.acme.Job"), node(base+"/config", config))
		for _, dir := range []string{
			"servers", "instances", "sharding", "leader", "leader/election", "leader/election/latch",
			"leader/sharding", "leader/failover", "leader/failover/items",
		} {
			ops = append(ops, node(base+"/"+dir, ""))
		}
		for server := range readServers {
			ip := fmt.Sprintf("10.0.0.%d", server+1)
			ops = append(ops,
				node(base+"/servers/"+ip, "ENABLED"),
				node(base+"/instances/"+ip+"@-@1", ""),
				node(fmt.Sprintf("%s/leader/election/latch/latch-000000000%d", base, server), ""))
		}
		ops = append(ops, node(base+"/leader/election/instance", "10.0.0.1@-@1"))
		for item := range readShards {
			shard := fmt.Sprintf("%s/sharding/%d", base, item)
			ops = append(ops,
				node(shard, ""),
				node(shard+"/instance", fmt.Sprintf("10.0.0.%d@-@1", item%readServers+1)))
		}
	}
	g.fillValues(t, append(ops, node(root+"/job-7/sharding/3/disabled", "")))
}

func node(path, value string) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: []byte(value), Acl: zk.WorldACL(zk.PermAll)}
}

// fillValues creates nodes, some hundreds at a time.
func (g *stage) fillValues(t *testing.T, ops []any) {
	t.Helper()
	const most = 500
	for chunk := range slices.Chunk(ops, most) {
		if _, err := g.conn.Multi(chunk...); err != nil {
			t.Fatal(err)
		}
	}
}

// A look at healthy jobs costs 8 reads a job, 1 for each server and 2 for each
// shard; an import 3, 1 and 1. The disabled shard is found, and the node that
// is no job costs one read. With -jobs 10000 the test measures what the docs
// say.
func TestReads_CountsAndTimes(t *testing.T) {
	g := newStage(t)
	const root = "/many"
	g.namespace(t, root, *largeJobs)
	ctx := context.Background()
	jobs := int64(*largeJobs)
	const ofNamespace = 2 // sync and children
	t.Run("doctor", func(t *testing.T) {
		client, reads := g.counting(root)
		begin := time.Now()
		report, err := (&Doctor{Client: client}).Look(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("doctor: %d jobs, %d reads, %v", report.Jobs, reads.Load(), time.Since(begin).Round(time.Second))
		if report.Jobs != *largeJobs || report.Findings() != 0 || len(report.Outcomes) != 2 {
			t.Errorf("got %d jobs and %+v, want a note and the foreign node", report.Jobs, report.Outcomes)
		}
		const foreign = 1
		const each = 8 + readServers + 2*readShards
		if want := ofNamespace + foreign + jobs*each + 1; reads.Load() != want {
			t.Errorf("got %d reads, want %d: %d a job, and 1 for the mark", reads.Load(), want, each)
		}
	})
	t.Run("import", func(t *testing.T) {
		client, reads := g.counting(root)
		begin := time.Now()
		got, err := client.ReadJobs(ctx, ImportOptions{Zone: "UTC", Now: begin, Horizon: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("import: %d jobs, %d reads, %v", len(got.Jobs), reads.Load(), time.Since(begin).Round(time.Second))
		if len(got.Jobs) != *largeJobs {
			const shown = 5
			t.Fatalf("got %d jobs, want %d: %+v", len(got.Jobs), *largeJobs, got.Remarks[:min(shown, len(got.Remarks))])
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
		const foreign = 1
		const each = 3 + readServers + readShards
		if want := ofNamespace + foreign + jobs*each; reads.Load() != want {
			t.Errorf("got %d reads, want %d: %d a job", reads.Load(), want, each)
		}
	})
}

// What a healthy job does not need is read as soon as a rule looks at it: the
// nodes of instances when a mark says that a shard runs, or a server's node is
// missing, and the candidates when there is no leader.
func TestReads_WhatRulesLookAt(t *testing.T) {
	g := newStage(t)
	g.namespace(t, "/some", 1+7)
	client, _ := g.doctorOf("/some/demo")
	collect := func() (instance, latch bool) {
		t.Helper()
		s, err := client.Collect(context.Background(), "job-1")
		if err != nil {
			t.Fatal(err)
		}
		for ip := 1; ip <= readServers; ip++ {
			n := s.at(fmt.Sprintf("instances/10.0.0.%d@-@1", ip))
			if n == nil {
				t.Fatal("an instance is missing")
			}
			instance = n.Stat.Czxid != 0
		}
		return instance, len(s.below("leader/election/latch")) == readServers
	}
	for _, row := range []struct {
		name            string
		change          func() error
		instance, latch bool
	}{
		{"healthy", func() error { return nil }, false, false},
		{"a mark", func() error { return g.makeNode("/some/job-1/sharding/4/running") }, true, false},
		{"no mark", func() error { return g.conn.Delete("/some/job-1/sharding/4/running", -1) }, false, false},
		{"no server", func() error { return g.conn.Delete("/some/job-1/servers/10.0.0.2", -1) }, true, false},
		{"a server", func() error { return g.makeNode("/some/job-1/servers/10.0.0.2") }, false, false},
		{"no leader", func() error { return g.conn.Delete("/some/job-1/leader/election/instance", -1) }, true, true},
	} {
		if err := row.change(); err != nil {
			t.Fatal(err)
		}
		if instance, latch := collect(); instance != row.instance || latch != row.latch {
			t.Errorf("%s: got instances' nodes %v and candidates %v, want %v and %v",
				row.name, instance, latch, row.instance, row.latch)
		}
	}
}

// counting returns a client that reads as many nodes side by side as a user's,
// and the number of its calls.
func (g *stage) counting(root string) (*Client, *atomic.Int64) {
	client, _ := g.doctorOf(root + "/demo")
	counted := &countedConn{Conn: g.conn}
	client.conn = counted
	client.Limit(*rate)
	return client, &counted.calls
}

// countedConn counts the calls of a client that only reads. From the tenth on,
// those of losing are lost.
type countedConn struct {
	*zk.Conn
	calls  atomic.Int64
	losing atomic.Int64
}

func (c *countedConn) Get(path string) ([]byte, *zk.Stat, error) {
	const first = 10
	if c.calls.Add(1) >= first && c.losing.Add(-1) >= 0 {
		return nil, nil, zk.ErrConnectionClosed
	}
	return c.Conn.Get(path)
}

func (c *countedConn) Children(path string) ([]string, *zk.Stat, error) {
	c.calls.Add(1)
	return c.Conn.Children(path)
}

func (c *countedConn) Sync(path string) (string, error) {
	c.calls.Add(1)
	return c.Conn.Sync(path)
}

// A connection that is lost in the middle costs nothing but time: what was
// under way is read again, by an import and by a look.
func TestReads_AgainAfterALoss(t *testing.T) {
	g := newStage(t)
	const jobs, lost = 8, 20
	g.namespace(t, "/lost", jobs)
	for name, read := range map[string]func(*Client) (int, error){
		"import": func(c *Client) (int, error) {
			got, err := c.ReadJobs(context.Background(), ImportOptions{Zone: "UTC", Horizon: time.Hour})
			if err != nil {
				return 0, err
			}
			return len(got.Jobs), nil
		},
		"doctor": func(c *Client) (int, error) {
			report, err := (&Doctor{Client: c}).Look(context.Background())
			if err != nil {
				return 0, err
			}
			return report.Jobs - report.Unreadable, nil
		},
	} {
		client, _ := g.counting("/lost")
		conn := client.conn.(*countedConn)
		conn.losing.Store(lost)
		if n, err := read(client); err != nil || n != jobs {
			t.Errorf("%s: got %d jobs (%v), want %d", name, n, err, jobs)
		}
		if conn.losing.Load() > 0 {
			t.Errorf("%s: nothing was lost", name)
		}
	}
}

func (g *stage) makeNode(path string) error {
	_, err := g.conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
	return err
}

// A client makes no more calls than its limit: a hundred at 200 a second begin
// within half a second, and not sooner.
func TestReads_Limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &Client{timeout: time.Minute, pace: &pace{}, slots: make(chan struct{}, readsUnderWay)}
		const calls, perSecond = 100, 200
		client.Limit(perSecond)
		begin := time.Now()
		for range calls {
			_, err := call(t.Context(), client, func() (struct{}, error) { return struct{}{}, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		if took, want := time.Since(begin), (calls-1)*time.Second/perSecond; took != want {
			t.Errorf("%d calls took %v, want %v", calls, took, want)
		}
		client.Limit(0)
		if client.pace.every != time.Second/DefaultRate {
			t.Errorf("got a call each %v, want the default rate", client.pace.every)
		}
	})
}
