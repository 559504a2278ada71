package elasticjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

const demoConfig = "cron: 0/10 * * * * ?\nfailover: true\njobName: demo\n" +
	"monitorExecution: true\nshardingTotalCount: 2\n"

// stage is a server with a Java side. Each scene has a namespace of its own.
type stage struct {
	server *testservers.ZooKeeper
	conn   *zk.Conn
	scenes int
}

func newStage(t *testing.T) *stage {
	server := testservers.StartZooKeeper(t)
	return &stage{server: server, conn: connect(t, server)}
}

func connect(t *testing.T, server *testservers.ZooKeeper) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect(
		[]string{server.Addr()},
		10*time.Second,
		zk.WithLogger(silent{}),
		zk.WithLogInfo(false),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	go func() {
		for range events {
		}
	}()
	return conn
}

// scene is a namespace with the job demo, a living instance B and the marks of
// A, which died in a run of shard 0.
type scene struct {
	t      *testing.T
	a, b   *java
	client *Client
	gate   *gate
}

func (g *stage) scene(t *testing.T) *scene {
	t.Helper()
	g.scenes++
	base := fmt.Sprintf("/scene%d/demo", g.scenes)
	s := &scene{
		t: t,
		a: &java{t: t, conn: g.conn, base: base, id: "10.0.0.1@-@7"},
		b: &java{t: t, conn: g.conn, base: base, id: "10.0.0.2@-@8"},
	}
	s.a.put("", "com.acme.MyJob")
	s.a.put("config", demoConfig)
	do(s.b.start())
	s.b.put("servers/10.0.0.1", "ENABLED")
	s.b.create("leader/election/instance", s.b.id, zk.FlagEphemeral)
	s.b.put("leader/sharding/necessary", "")
	s.b.put("sharding/0/instance", s.a.id)
	s.b.put("sharding/1/instance", s.b.id)
	s.b.put("sharding/0/running", s.a.id)
	s.client, s.gate = g.doctorOf(base)
	return s
}

// doctorOf returns a client whose operations a gate sees.
func (g *stage) doctorOf(base string) (*Client, *gate) {
	gate := &gate{conn: g.conn, stop: -1}
	return &Client{
		conn:    gate,
		close:   func() {},
		root:    strings.TrimSuffix(base, "/demo"),
		acl:     zk.WorldACL(zk.PermAll),
		timeout: 20 * time.Second,
		pace:    &pace{},
		slots:   make(chan struct{}, readsUnderWay),
		granted: &atomic.Int64{},
		lost:    &atomic.Uint64{},
	}, gate
}

// gate stands before each operation of a doctor. Before the one with the number
// stop, or after it, it does what the other side does there; or it ends the
// session.
type gate struct {
	conn  *zk.Conn
	mu    sync.Mutex
	count int
	stop  int
	after bool
	other func()
	ended bool // from stop on each operation fails
}

func (g *gate) pass(op func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.count
	g.count++
	if g.ended && g.stop >= 0 && n >= g.stop {
		if n == g.stop && g.after {
			op() // and its answer is lost
		}
		return zk.ErrConnectionClosed
	}
	if n == g.stop && g.other != nil && !g.after {
		g.other()
	}
	err := op()
	if n == g.stop && g.other != nil && g.after {
		g.other()
	}
	return err
}

func (g *gate) Get(path string) (data []byte, stat *zk.Stat, err error) {
	err = g.pass(func() error { data, stat, err = g.conn.Get(path); return err })
	return data, stat, err
}

func (g *gate) Children(path string) (names []string, stat *zk.Stat, err error) {
	err = g.pass(func() error { names, stat, err = g.conn.Children(path); return err })
	return names, stat, err
}

func (g *gate) ExistsW(path string) (there bool, stat *zk.Stat, events <-chan zk.Event, err error) {
	err = g.pass(func() error { there, stat, events, err = g.conn.ExistsW(path); return err })
	return there, stat, events, err
}

func (g *gate) Create(path string, data []byte, flags int32, acl []zk.ACL) (name string, err error) {
	err = g.pass(func() error { name, err = g.conn.Create(path, data, flags, acl); return err })
	return name, err
}

func (g *gate) Delete(path string, version int32) error {
	return g.pass(func() error { return g.conn.Delete(path, version) })
}

func (g *gate) Multi(ops ...any) (replies []zk.MultiResponse, err error) {
	err = g.pass(func() error { replies, err = g.conn.Multi(ops...); return err })
	return replies, err
}

func (g *gate) Sync(path string) (name string, err error) {
	err = g.pass(func() error { name, err = g.conn.Sync(path); return err })
	return name, err
}

// findings looks at the job as after the time to settle.
func (s *scene) findings() []*Finding {
	s.t.Helper()
	snapshot, err := s.client.Collect(context.Background(), "demo")
	if err != nil {
		s.t.Fatal(err)
	}
	return examineLater(snapshot, Options{Zone: "UTC"}, time.Hour)
}

// due returns the findings of a shard that may be repaired.
func due(findings []*Finding, shard int) (list []*Finding) {
	for _, f := range findings {
		if f.Shard != nil && *f.Shard == shard && f.change != nil && f.Class == Auto && f.Waits == "" {
			list = append(list, f)
		}
	}
	return list
}

// repair repairs shard 0 and returns its error.
func (s *scene) repair(list []*Finding) error {
	return s.client.repairAll(context.Background(), "demo", list, func(Audit) {})
}

// dump returns the marks of the job, with their pins.
func (s *scene) dump() string {
	var lines []string
	for item := range 2 {
		dir := fmt.Sprintf("sharding/%d", item)
		names, _, _ := s.b.conn.Children(s.b.path(dir))
		slices.Sort(names)
		for _, name := range names {
			lines = append(lines, fmt.Sprintf("%s/%s=%s", dir, name, s.b.value(dir+"/"+name)))
			pins, _, _ := s.b.conn.Children(s.b.path(dir + "/" + name))
			for _, pin := range pins {
				lines = append(lines,
					fmt.Sprintf("%s/%s/%s", dir, name, strings.TrimRight(pin, "abcdefghijklmnopqrstuvwxyz234567")))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// Whatever a Java instance does between two operations of a repair, before or
// after each of them, and however far it gets there: no mark of a living owner
// is deleted, nothing of ours stays, and the shard is free in the end.
func TestRepair_EveryStepOfJavaBetween(t *testing.T) {
	g := newStage(t)
	for _, script := range []struct {
		name  string
		steps func(s *scene) []step
		left  string // the owner of the mark in the end, if the script leaves one
		freed bool   // the mark of A is gone in the end
	}{
		{"a survivor fails over", func(s *scene) []step { return s.b.crashListener(0) }, "", true},
		{"the owner is back with its ID", func(s *scene) []step { return s.a.start() }, "", false},
		{"the mark is replaced", func(s *scene) []step { return s.b.replaceMark(0) }, "10.0.0.2@-@8", true},
		{
			"the mark is replaced by one of the same name",
			func(s *scene) []step { return append(s.a.start(), s.a.replaceMark(0)...) },
			"10.0.0.1@-@7", false,
		},
		{
			"the leader reshards and a run begins",
			func(s *scene) []step { return append(s.b.reshard(2), s.b.beginRun(0)...) },
			"", true,
		},
	} {
		t.Run(script.name, func(t *testing.T) {
			ops := g.operations(t)
			for stop := range ops {
				for _, after := range []bool{false, true} {
					for done := 1; done <= len(script.steps(g.scene(t))); done++ {
						g.interleave(t, script.steps, script.left, script.freed, stop, done, after)
					}
				}
			}
		})
	}
}

// operations returns how many operations an undisturbed repair has.
func (g *stage) operations(t *testing.T) int {
	s := g.scene(t)
	list := due(s.findings(), 0)
	s.gate.count = 0
	if err := s.repair(list); err != nil {
		t.Fatalf("an undisturbed repair: %v", err)
	}
	return s.gate.count
}

// interleave lets Java do the first steps of a script at one operation of a
// repair, and the rest after it.
func (g *stage) interleave(t *testing.T, script func(*scene) []step, left string, freed bool, stop, done int,
	after bool) {
	s := g.scene(t)
	list := due(s.findings(), 0)
	if len(list) == 0 {
		t.Fatal("there is nothing to repair")
	}
	steps := script(s)
	wrong := ""
	s.gate.count, s.gate.stop, s.gate.after = 0, stop, after
	var mark *zk.Stat // of an owner that lives
	s.gate.other = func() {
		do(steps[:done])
		owner := s.b.value("sharding/0/running")
		back := left == s.a.id && done == len(steps)
		if owner != "" && (owner == s.b.id || back) {
			_, mark, _ = s.b.conn.Exists(s.b.path("sharding/0/running"))
		}
	}
	err := s.repair(list)
	s.gate.stop = -1
	if mark != nil {
		if there, now, _ := s.b.conn.Exists(s.b.path("sharding/0/running")); !there || now.Czxid != mark.Czxid {
			wrong = "a mark of a living owner was deleted"
		}
	}
	do(steps[done:])
	if err != nil && !errors.Is(err, errMoved) {
		wrong = fmt.Sprintf("the repair failed: %v", err)
	}
	if strings.Contains(s.dump(), pinPrefix) {
		wrong = "a pin was left"
	}
	owner := s.b.value("sharding/0/running")
	switch {
	case left != "" && owner != left:
		wrong = fmt.Sprintf("the mark is of %q, want %q", owner, left)
	case freed && owner == s.a.id:
		wrong = "the shard is blocked"
	}
	if wrong != "" {
		t.Errorf("stop %d, after %v, %d of %d steps of Java: %s\nrepair: %v\n%s", stop, after, done, len(steps), wrong,
			err, s.dump())
	}
}

// Whichever operation a doctor's session ends at, sent or not, a shard is as it
// was or repaired, and the next doctor repairs it and takes the pin away.
func TestRepair_SessionEndsAtEachOperation(t *testing.T) {
	g := newStage(t)
	for stop := range g.operations(t) {
		for _, sent := range []bool{false, true} {
			s := g.scene(t)
			s.b.put("sharding/0/failovering", s.a.id)
			list := due(s.findings(), 0)
			if len(list) != 2 {
				t.Fatalf("findings:\n%s", told(list))
			}
			s.gate.count, s.gate.stop, s.gate.after, s.gate.ended = 0, stop, sent, true
			err := s.repair(list)
			running, failovering := s.b.value("sharding/0/running"), s.b.value("sharding/0/failovering")
			if (running == "") != (failovering == "") {
				t.Errorf("session ended at %d (sent %v, %v): half a repair\n%s", stop, sent, err, s.dump())
			}
			next, _ := g.doctorOf(s.b.base)
			s.client = next
			for range 2 { // a pin first, then the marks
				snapshot, err := next.Collect(context.Background(), "demo")
				if err != nil {
					t.Fatal(err)
				}
				snapshot.At = snapshot.At.Add(2 * oldPin)
				for _, f := range examineLater(snapshot, Options{}, time.Hour) {
					if f.change != nil && f.Class == Auto && (f.Rule == LeftPin || f.Shard != nil) {
						next.repairAll(context.Background(), "demo", []*Finding{f}, func(Audit) {})
					}
				}
			}
			if got := s.dump(); strings.Contains(got, "running") || strings.Contains(got, pinPrefix) {
				t.Errorf("session ended at %d (sent %v): the next doctor left\n%s", stop, sent, got)
			}
		}
	}
}

// Two doctors at one mark: whichever operation of the first the second's whole
// repair falls into, the mark is deleted once and no pin stays; if they met, a
// further look does it.
func TestRepair_TwoDoctors(t *testing.T) {
	g := newStage(t)
	for stop := range g.operations(t) {
		s := g.scene(t)
		list := due(s.findings(), 0)
		second, _ := g.doctorOf(s.b.base)
		s.gate.count, s.gate.stop = 0, stop
		var err2 error
		s.gate.other = func() { err2 = second.repairAll(context.Background(), "demo", list, func(Audit) {}) }
		err := s.repair(list)
		if err == nil && err2 == nil {
			t.Errorf("stop %d: both say that they repaired it", stop)
		}
		if strings.Contains(s.dump(), pinPrefix) {
			t.Errorf("stop %d: a pin was left\n%s", stop, s.dump())
		}
		if err != nil && err2 != nil {
			t.Errorf("stop %d: both stepped back: %v; %v", stop, err, err2)
		}
	}
}

// A namespace on a real server from the URL to the repair: the dry run writes
// nothing, the repair deletes the residue alone, the audit puts it back.
func TestDoctor_RepairsOnlyResidue(t *testing.T) {
	g := newStage(t)
	s := g.scene(t)
	do(s.b.beginRun(1))
	other := &java{t: t, conn: g.conn, base: s.client.root + "/other", id: s.b.id}
	other.put("", "com.acme.Other")
	other.put("config", "cron: 0/10 * * * * ?\nmonitorExecution: true\nfailover: true\nshardingTotalCount: 1\n")
	do(other.start())
	other.put("sharding/0/instance", other.id)
	do(other.beginRun(0))
	_, before, _ := g.conn.Get(other.path("sharding/0/running"))

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := Open(ctx, g.server.URL(strings.Trim(s.client.root, "/"))+"?request_timeout=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if client.Granted() != 10*time.Second {
		t.Errorf("the session has %v, want the server's most, 10s", client.Granted())
	}
	var audits []Audit
	look := func(repair bool) *Report {
		d := &Doctor{
			Client:  client,
			Options: Options{Settle: time.Second},
			Repair:  repair,
			Audit:   func(a Audit) { audits = append(audits, a) },
		}
		report, err := d.Look(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	dump := s.dump()
	report := look(false)
	if report.Findings() != 1 || report.Outcomes[0].Rule != DeadRunning || report.Jobs != 2 {
		t.Errorf("the dry run reports %+v", report)
	}
	if got := s.dump(); got != dump || len(audits) > 0 {
		t.Errorf("the dry run changed\n%s\nto\n%s", dump, got)
	}
	if report = look(true); report.Findings() != 0 || !report.Outcomes[0].Repaired {
		t.Errorf("the repair reports %+v: %s", report.Outcomes[0], report.Outcomes[0].Left)
	}
	if got, want := s.dump(), strings.Replace(dump, "sharding/0/running=10.0.0.1@-@7\n", "", 1); got != want {
		t.Errorf("after the repair\n%s\nwant\n%s", got, want)
	}
	if len(audits) != 1 || audits[0].Undo != "create "+s.a.path("sharding/0/running")+` "10.0.0.1@-@7"` {
		t.Errorf("audit: %+v", audits)
	}
	if _, after, _ := g.conn.Get(other.path("sharding/0/running")); after.Czxid != before.Czxid {
		t.Error("another job's run was touched")
	}
	s.b.remove("sharding/1/running")
	do(s.b.reshard(2))
	do(s.b.run(0))
	if strings.Contains(s.dump(), "running=10.0.0.1") || s.b.value("sharding/0/instance") != s.b.id {
		t.Errorf("the shard does not run again:\n%s", s.dump())
	}
	if report = look(false); report.Findings() != 0 {
		t.Errorf("a healthy namespace has findings: %+v", report.Outcomes[0])
	}
}

// What is no namespace, or none of ElasticJob's, is refused as bad input.
func TestOpen_RefusesBadNamespaces(t *testing.T) {
	g := newStage(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	j := &java{t: t, conn: g.conn, base: "/foreign", id: "x"}
	j.create("a/b", "", 0)
	server := "zookeeper://" + g.server.Addr()
	for _, url := range []string{g.server.URL("nowhere"), server, "etcd://h/ns", server + "/ns?sasl=1"} {
		if c, err := Open(ctx, url); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("open %s: %v, want ErrInvalid", url, err)
			if c != nil {
				c.Close()
			}
		}
	}
	client, err := Open(ctx, g.server.URL("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := (&Doctor{Client: client}).Look(ctx); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a namespace without jobs: %v, want ErrInvalid", err)
	}
}

// A repair reads everything that it rests on again and is not made when a fact
// has changed.
func TestRepair_ReadsItsFactsAgain(t *testing.T) {
	g := newStage(t)
	for _, row := range []struct {
		name   string
		change func(s *scene)
	}{
		{"the owner is back", func(s *scene) { do(s.a.start()) }},
		{"the mark is gone", func(s *scene) { s.b.remove("sharding/0/running") }},
		{"the mark has another value", func(s *scene) { s.b.put("sharding/0/running", s.a.id+"0") }},
		{"the mark was made again", func(s *scene) { do(s.a.replaceMark(0)) }},
		{"a claim is there now", func(s *scene) { s.b.create("sharding/0/failover", s.b.id, zk.FlagEphemeral) }},
		{"another doctor is there", func(s *scene) { s.b.create("sharding/0/running/"+pinPrefix+"x", "", 0) }},
	} {
		s := g.scene(t)
		s.b.put("sharding/0/failovering", s.a.id) // its finding needs that there is no claim
		list := due(s.findings(), 0)
		row.change(s)
		want := s.dump()
		if err := s.repair(list); !errors.Is(err, errMoved) {
			t.Errorf("%s: %v, want %v", row.name, err, errMoved)
		}
		if got := s.dump(); got != want {
			t.Errorf("%s: the repair changed\n%s\nto\n%s", row.name, want, got)
		}
	}
	s := g.scene(t)
	s.b.remove("leader/sharding/necessary")
	for _, f := range s.findings() {
		if f.Rule == LostShard {
			s.b.put("leader/sharding/necessary", "")
			if err := s.repair([]*Finding{f}); !errors.Is(err, errMoved) {
				t.Errorf("a resharding is due already: %v, want %v", err, errMoved)
			}
			return
		}
	}
	t.Error("the shard of a dead owner is not called lost")
}

// A look at a healthy job of n shards costs at most 13 + 2n reads, and one for
// each instance and each server.
func TestCollect_Reads(t *testing.T) {
	g := newStage(t)
	s := g.scene(t)
	s.b.remove("sharding/0/running")
	const shards = 10
	for item := range shards {
		s.b.put(shardPath(item, "instance"), s.b.id)
	}
	s.gate.count = 0
	if _, err := s.client.Collect(context.Background(), "demo"); err != nil {
		t.Fatal(err)
	}
	if most := 13 + 2*shards + 1 + 2; s.gate.count > most {
		t.Errorf("%d reads, want at most %d", s.gate.count, most)
	}
}
