package elasticjob

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// fill creates many nodes, some hundreds at a time.
func fill(t *testing.T, conn *zk.Conn, paths []string) {
	t.Helper()
	const most = 500
	for chunk := range slices.Chunk(paths, most) {
		var ops []any
		for _, path := range chunk {
			ops = append(ops, &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)})
		}
		if _, err := conn.Multi(ops...); err != nil {
			t.Fatal(err)
		}
	}
}

// A hundred thousand foreign nodes below a job, and thousands beside the jobs,
// are counted and left alone; the blocked shard among them is repaired.
func TestDoctor_ForeignNodes(t *testing.T) {
	g := newStage(t)
	s := g.scene(t)
	const below, beside = 100_000, 3000
	var paths []string
	for i := range below {
		paths = append(paths, s.b.path(fmt.Sprintf("sharding/foreign-%d", i)))
	}
	for i := range beside {
		paths = append(paths, fmt.Sprintf("%s/foreign-%d", s.client.root, i))
	}
	fill(t, g.conn, paths)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := Open(ctx, g.server.URL(strings.Trim(s.client.root, "/"))+"?request_timeout=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	report, err := (&Doctor{Client: client, Options: Options{Settle: time.Second}, Repair: true}).Look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	repaired := slices.ContainsFunc(
		report.Outcomes,
		func(o Outcome) bool { return o.Rule == DeadRunning && o.Repaired },
	)
	told := slices.ContainsFunc(
		report.Outcomes,
		func(o Outcome) bool { return o.Rule == Unreadable && strings.Contains(o.What, "100000") },
	)
	foreign := slices.ContainsFunc(
		report.Outcomes,
		func(o Outcome) bool { return o.Rule == NoJob && strings.Contains(o.What, "3000") },
	)
	if !repaired || !told || !foreign || len(report.Outcomes) > 5 {
		t.Errorf("repaired %v, told of nodes below %v, of those beside %v, %d findings", repaired, told, foreign,
			len(report.Outcomes))
	}
	names, _, err := g.conn.Children(s.b.path("sharding"))
	if err != nil || len(names) != below+2 {
		t.Errorf("%d nodes are left below sharding (%v), want %d", len(names), err, below+2)
	}
}

// A look makes at most twenty repairs of a job and says that there are more.
func TestDoctor_TwentyRepairsAMinute(t *testing.T) {
	g := newStage(t)
	s := g.scene(t)
	const shards = 25
	s.b.put("config", strings.Replace(demoConfig, "TotalCount: 2", fmt.Sprint("TotalCount: ", shards), 1))
	for item := range shards {
		s.b.put(shardPath(item, "instance"), s.b.id)
		s.b.put(shardPath(item, "running"), s.a.id)
	}
	d := &Doctor{Client: s.client, Options: Options{Settle: time.Millisecond}, Repair: true}
	report, err := d.Look(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	repaired, left := 0, 0
	for _, o := range report.Outcomes {
		switch {
		case o.Repaired:
			repaired++
		case strings.Contains(o.Left, "a minute"):
			left++
		}
	}
	if repaired != repairsPerMinute || left != shards-repairsPerMinute {
		t.Errorf("%d repaired and %d left, want %d and %d", repaired, left, repairsPerMinute, shards-repairsPerMinute)
	}
}

// An instance whose node comes and goes while the doctor waits is not dead: the
// watch has seen it, whatever the second look shows.
func TestDoctor_SparesOwnersThatReturn(t *testing.T) {
	g := newStage(t)
	s := g.scene(t)
	d := &Doctor{Client: s.client, Options: Options{Settle: time.Hour}, Repair: true}
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := d.round(ctx, nil, false); err != nil {
		t.Fatal(err)
	}
	p := d.patients["demo"]
	if len(p.seen.Absent()) != 1 {
		t.Fatalf("absent: %v, want the owner of the mark", p.seen.Absent())
	}
	first := p.seen.absent[s.a.id]
	do(s.a.start())
	s.a.remove("instances/" + s.a.id)
	for {
		d.mu.Lock()
		came := len(d.came["demo"])
		d.mu.Unlock()
		if came > 0 {
			break
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.round(ctx, nil, true); err != nil {
		t.Fatal(err)
	}
	if again := p.seen.absent[s.a.id]; !again.After(first) {
		t.Errorf("the absence counts from %v, before the instance came", again)
	}
	if s.b.value("sharding/0/running") != s.a.id {
		t.Error("the mark was deleted")
	}
}
