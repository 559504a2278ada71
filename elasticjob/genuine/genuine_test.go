//go:build genuine

package genuine

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/elasticjob"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/go-zookeeper/zk"
)

var (
	classes = flag.String("classes", "", "the class path: the compiled Worker, and ElasticJob with what it needs")
	version = flag.String("version", "", "of ElasticJob")
	record  = flag.String("record", "", "a directory that the blocked trees are written to, as golden files")
)

const (
	period  = 2 * time.Second // of Worker's cron
	session = 3 * time.Second // of Worker's sessions
	shards  = 2
)

// stage is a server with a namespace.
type stage struct {
	t      *testing.T
	server *testservers.ZooKeeper
	conn   *zk.Conn
	begin  time.Time
}

func newStage(t *testing.T) *stage {
	server := testservers.StartZooKeeper(t)
	conn, events, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	go func() {
		for range events {
		}
	}()
	return &stage{t, server, conn, time.Now()}
}

// say writes a line of the transcript.
func (s *stage) say(format string, a ...any) {
	s.t.Logf("%6.1f s  %s", time.Since(s.begin).Seconds(), fmt.Sprintf(format, a...))
}

// worker is a JVM with an instance.
type worker struct {
	s    *stage
	name string
	dir  string
	cmd  *exec.Cmd

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed at each line
}

func (s *stage) start(name, job string, shards int) *worker {
	return s.launch(name, job, shards, false)
}

// launch starts a JVM whose instance, with held, waits until hold-start is
// gone.
func (s *stage) launch(name, job string, shards int, held bool) *worker {
	s.t.Helper()
	w := &worker{s: s, name: name, dir: s.t.TempDir(), more: make(chan struct{})}
	if held {
		if err := os.WriteFile(filepath.Join(w.dir, "hold-start"), nil, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	w.cmd = exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", *classes,
		"Worker", s.server.Addr(), "ns", job, fmt.Sprint(shards), w.dir)
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(w.kill)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.mu.Lock()
			w.lines = append(w.lines, lines.Text())
			close(w.more)
			w.more = make(chan struct{})
			w.mu.Unlock()
		}
	}()
	return w
}

// kill is kill -9.
func (w *worker) kill() {
	w.cmd.Process.Kill()
	w.cmd.Wait()
}

func (w *worker) count(line string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lines {
		if l == line {
			n++
		}
	}
	return n
}

func (w *worker) hold(shard int) string { return filepath.Join(w.dir, fmt.Sprintf("hold-%d", shard)) }

func (w *worker) holdAll() {
	for shard := range shards {
		if err := os.WriteFile(w.hold(shard), nil, 0o600); err != nil {
			w.s.t.Fatal(err)
		}
	}
}

func (w *worker) release(shard int) { os.Remove(w.hold(shard)) }

// until waits for a condition, and reports whether it came true in time.
func until(limit time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		pause := time.NewTimer(50 * time.Millisecond)
		<-pause.C
	}
	return true
}

// await is until for what must come true.
func (s *stage) await(what string, condition func() bool) {
	s.t.Helper()
	const patience = 90 * time.Second
	if !until(patience, condition) {
		s.t.Fatalf("%s did not come true\n%s", what, s.dump())
	}
}

// value returns a node of the job report.
func (s *stage) value(path string) string {
	data, _, _ := s.conn.Get("/ns/report/" + path)
	return string(data)
}

func (s *stage) instances(job string) int {
	names, _, _ := s.conn.Children("/ns/" + job + "/instances")
	return len(names)
}

func (s *stage) dump() string {
	var lines []string
	for shard := range shards {
		for _, mark := range []string{"instance", "running", "failover", "failovering"} {
			path := fmt.Sprintf("sharding/%d/%s", shard, mark)
			if there, stat, _ := s.conn.Exists("/ns/report/" + path); there {
				ephemeral := stat.EphemeralOwner != 0
				lines = append(lines, fmt.Sprintf("%s=%s (ephemeral: %v)", path, s.value(path), ephemeral))
			}
		}
	}
	if there, _, _ := s.conn.Exists("/ns/report/leader/sharding/necessary"); there {
		lines = append(lines, "leader/sharding/necessary")
	}
	return strings.Join(lines, "\n           ")
}

func begun(shard int) string { return fmt.Sprintf("begin %d", shard) }

// pair starts two instances, the second when the first runs. ElasticJob loses a
// resharding now and then; the second is started again if it gets no shard.
func (s *stage) pair() (a, b *worker) {
	a = s.start("A", "report", shards)
	s.await("A runs", func() bool { return a.count(begun(0)) > 0 })
	const trials, patience = 3, 30 * time.Second
	for range trials {
		b = s.start("B", "report", shards)
		if until(patience, func() bool { return b.count(begun(0))+b.count(begun(1)) > 0 }) {
			return a, b
		}
		s.say("B got no shard: ElasticJob has lost the resharding; B is started again")
		b.kill()
		s.await("B's session ends", func() bool { return s.instances("report") == 1 })
	}
	s.t.Fatalf("B gets no shard\n%s", s.dump())
	return nil, nil
}

// each waits until both workers run one shard each, and returns that of the
// first.
func (s *stage) each(a, b *worker) (ofA int) {
	s.await("each has a shard", func() bool {
		first, second := s.value("sharding/0/instance"), s.value("sharding/1/instance")
		return first != second && first != "" && second != ""
	})
	counts := [2][2]int{}
	for shard := range shards {
		counts[0][shard], counts[1][shard] = a.count(begun(shard)), b.count(begun(shard))
	}
	s.await("each runs its shard", func() bool {
		for shard := range shards {
			if a.count(begun(shard)) >= counts[0][shard]+2 && b.count(begun(1-shard)) >= counts[1][1-shard]+2 {
				ofA = shard
				return true
			}
		}
		return false
	})
	return ofA
}

// stuck reports whether no shard begins for six periods.
func (s *stage) stuck(workers ...*worker) bool {
	total := func() (n int) {
		for _, w := range workers {
			n += w.count(begun(0)) + w.count(begun(1))
		}
		return n
	}
	until(2*session+2*period, func() bool { return false })
	before := total()
	const periods = 6
	return !until(periods*period, func() bool { return total() > before })
}

// repaired runs the doctor and shows that both shards run in the next fires,
// and that the living run of the other job was left alone.
func (s *stage) repaired(want elasticjob.Rule, workers ...*worker) {
	t := s.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := elasticjob.Open(ctx, s.server.URL("ns")+"?request_timeout=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, other, _ := s.conn.Exists("/ns/other/sharding/0/running")
	before := [shards]int{}
	count := func(shard int) (n int) {
		for _, w := range workers {
			n += w.count(begun(shard))
		}
		return n
	}
	for shard := range shards {
		before[shard] = count(shard)
	}
	var sent time.Time
	d := &elasticjob.Doctor{Client: client, Options: elasticjob.Options{Settle: session}, Repair: true}
	d.Audit = func(a elasticjob.Audit) {
		sent = time.Now()
		s.say("doctor: %s %s = %s", a.Write, a.Path, a.Value)
	}
	report, err := d.Look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range report.Outcomes {
		s.say("doctor: %s %s %s: %s (repaired: %v)", o.Job, o.Rule, o.Class, o.What, o.Repaired)
		found = found || o.Rule == want && o.Repaired
		if o.Job != "report" && o.Repaired {
			t.Errorf("another job was repaired: %+v", o)
		}
	}
	if !found {
		t.Errorf("%s was not found and repaired", want)
	}
	for shard := range shards {
		s.await(fmt.Sprintf("shard %d runs", shard), func() bool { return count(shard) > before[shard] })
		s.say("shard %d runs again, %d ms after the last write", shard, time.Since(sent).Milliseconds())
	}
	for shard := range shards {
		n := count(shard)
		s.await(fmt.Sprintf("shard %d goes on", shard), func() bool { return count(shard) > n+2 })
	}
	s.say("both go on at each fire")
	_, now, _ := s.conn.Exists("/ns/other/sharding/0/running")
	if now == nil || other == nil || now.Czxid != other.Czxid {
		t.Error("the living run of another job was disturbed")
	}
	for shard := range shards {
		names, _, _ := s.conn.Children(fmt.Sprintf("/ns/report/sharding/%d", shard))
		for _, name := range names {
			children, _, _ := s.conn.Children(fmt.Sprintf("/ns/report/sharding/%d/%s", shard, name))
			if len(children) > 0 {
				t.Errorf("something was left below %s: %v", name, children)
			}
		}
	}
}

// keep writes the job's tree as a golden file. Sessions get short names.
func (s *stage) keep(name, what string) {
	if *record == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := elasticjob.Open(ctx, s.server.URL("ns")+"?request_timeout=20s")
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	tree, err := client.Collect(ctx, "report")
	if err != nil {
		s.t.Fatal(err)
	}
	var paths []string
	for path := range tree.Nodes {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	at := tree.At.UTC().Truncate(time.Second)
	text := fmt.Sprintf("# %s\n# Recorded from the genuine ElasticJob %s.\n-- tree\nnow %s\n",
		what, *version, at.Format(time.RFC3339))
	sessions := map[int64]int{}
	for _, path := range paths {
		n := tree.Nodes[path]
		line := path
		if path == "" {
			line = "."
		}
		if owner := n.Stat.Session; owner != 0 {
			if sessions[owner] == 0 {
				sessions[owner] = len(sessions) + 1
			}
			line += fmt.Sprintf(" session=0x%x", sessions[owner])
		}
		line += fmt.Sprintf(" c=%d v=%d age=%v", n.Stat.Czxid, n.Stat.Version, at.Sub(n.Stat.Created))
		switch {
		case strings.Contains(n.Data, "\n"):
			line += "\n  " + strings.ReplaceAll(strings.TrimRight(n.Data, "\n"), "\n", "\n  ")
		case n.Data != "":
			line += " = " + n.Data
		}
		text += line + "\n"
	}
	file := filepath.Join(*record, fmt.Sprintf("genuine-%s-%s.txt", *version, name))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// another starts a job whose run lives all the time.
func (s *stage) another() {
	w := s.start("other", "other", 1)
	w.holdAll()
	s.await("the other job runs", func() bool { return w.count("begin 0") > w.count("end 0") })
	s.say("another job has a living run")
}

// backTogether starts two instances of which neither is ever alone: the first
// is paused from the moment when its node is there until the second's is, too.
// With slower JVMs and more of them it is chance.
func (s *stage) backTogether() (a, b *worker) {
	a, b = s.launch("A", "report", shards, true), s.launch("B", "report", shards, true)
	s.await("both are ready", func() bool { return a.count("ready")+b.count("ready") == 2 })
	_, _, came, err := s.conn.ChildrenW("/ns/report/instances")
	if err != nil {
		s.t.Fatal(err)
	}
	os.Remove(filepath.Join(a.dir, "hold-start"))
	<-came
	a.cmd.Process.Signal(syscall.SIGSTOP)
	os.Remove(filepath.Join(b.dir, "hold-start"))
	s.await("the second is there", func() bool { return s.instances("report") == 2 })
	a.cmd.Process.Signal(syscall.SIGCONT)
	s.await("both are back", func() bool { return a.count("up")+b.count("up") == 2 })
	return a, b
}

// heals reports whether the version frees the shards of dead instances itself.
// The running mark of 2.1 is ephemeral and has no value: it goes with its
// owner.
func heals() bool { return strings.HasPrefix(*version, "2.") }

// healed shows that both shards run at each fire without a doctor.
func (s *stage) healed(workers ...*worker) {
	s.t.Helper()
	for shard := range shards {
		count := func() (n int) {
			for _, w := range workers {
				n += w.count(begun(shard))
			}
			return n
		}
		before := count()
		s.await(fmt.Sprintf("shard %d runs", shard), func() bool { return count() > before+2 })
	}
	s.say("both shards run at each fire: the running marks went with their owners; there is\n           %s", s.dump())
	s.healthy()
	s.say("the doctor has nothing to repair, and writes nothing")
}

// healthy shows that a doctor finds nothing but misfire marks, which a person
// must decide about, and writes nothing, although it is asked to repair.
func (s *stage) healthy() {
	t := s.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := elasticjob.Open(ctx, s.server.URL("ns")+"?request_timeout=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := &elasticjob.Doctor{Client: client, Options: elasticjob.Options{Settle: session}, Repair: true}
	d.Audit = func(a elasticjob.Audit) { t.Errorf("the doctor wrote: %+v", a) }
	report, err := d.Look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report.Jobs != 2 {
		t.Errorf("the doctor has read %d jobs, want 2", report.Jobs)
	}
	for _, o := range report.Outcomes {
		if o.Class == elasticjob.Auto || o.Rule != elasticjob.OldMisfire {
			t.Errorf("the doctor found %s in %s: %s", o.Rule, o.Job, o.What)
			continue
		}
		s.say("doctor: %s %s %s: %s", o.Job, o.Rule, o.Class, o.What)
	}
}

// The configuration that ElasticJob has written is read: YAML from 3.0 on, JSON
// before.
func TestGenuine_Imports(t *testing.T) {
	s := newStage(t)
	w := s.start("A", "report", shards)
	s.await("A is up", func() bool { return w.count("up") == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := elasticjob.Open(ctx, s.server.URL("ns")+"?request_timeout=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	imported, err := client.ReadJobs(ctx, elasticjob.ImportOptions{Zone: "UTC", Now: time.Now(), Horizon: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if len(imported.Jobs) != 1 {
		t.Fatalf("got %d jobs: %+v", len(imported.Jobs), imported.Remarks)
	}
	j := imported.Jobs[0].Job
	if j.Name != "report" || j.Shards != shards || j.Schedule != "0/2 * * * * ?" || !j.Failover || j.Unclaimed {
		t.Errorf("got %+v", j)
	}
	for _, r := range imported.Remarks {
		if r.Fidelity == elasticjob.Cannot {
			t.Errorf("%s: %s", r.What, r.Text)
		}
	}
	s.say("the job of ElasticJob %s is imported: %s, %d shards, %s", *version, j.Name, j.Shards, j.Schedule)
}

// A shard that threw once runs again at the next fires, its mark is gone, and
// the doctor has nothing to repair. The program after 3.0.5 leaves the mark; it
// has not been released.
func TestGenuine_ThrewOnce(t *testing.T) {
	s := newStage(t)
	s.another()
	a, b := s.pair()
	ofA := s.each(a, b)
	s.say("ElasticJob %s: A runs shard %d, B shard %d", *version, ofA, 1-ofA)
	file := filepath.Join(a.dir, fmt.Sprintf("throw-%d", ofA))
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.await("A has thrown", func() bool { _, err := os.Stat(file); return os.IsNotExist(err) })
	s.say("shard %d of A has thrown", ofA)
	before := a.count(begun(ofA))
	s.await("the shard runs again", func() bool { return a.count(begun(ofA)) > before+2 })
	s.healthy()
	s.say("it runs again at each fire, no mark is left, and the doctor has nothing to repair")
}

// All instances die in a run, and two come back together: nothing runs any
// more, until the doctor has deleted the marks.
func TestGenuine_AllDownTwoBack(t *testing.T) {
	s := newStage(t)
	s.another()
	a, b := s.pair()
	s.each(a, b)
	s.say("ElasticJob %s: A and B run a shard each", *version)
	a.holdAll()
	b.holdAll()
	s.await("both shards are held", func() bool {
		held := 0
		for _, w := range []*worker{a, b} {
			for shard := range shards {
				held += w.count(begun(shard)) - w.count(fmt.Sprintf("end %d", shard))
			}
		}
		return held == shards
	})
	a.kill()
	b.kill()
	s.await("their sessions end", func() bool { return s.instances("report") == 0 })
	s.say("A and B were killed in a run; left is\n           %s", s.dump())
	a, b = s.backTogether()
	s.say("A and B are back")
	if heals() {
		s.healed(a, b)
		return
	}
	if !s.stuck(a, b) {
		t.Fatalf("ElasticJob healed itself; the state that was to be shown did not come up\n%s", s.dump())
	}
	s.say("nothing has run for six periods; there is\n           %s", s.dump())
	s.keep("all-down", "All instances died in a run, and two came back together.")
	s.repaired(elasticjob.DeadRunning, a, b)
}

// The story of #2429: B restarts in a run, A takes its shard over and restarts
// in that run. B claims the shard over the mark of the dead A and runs nothing
// more.
func TestGenuine_RestartsInTurn(t *testing.T) {
	s := newStage(t)
	s.another()
	a, b := s.pair()
	ofA := s.each(a, b)
	ofB := 1 - ofA
	s.say("ElasticJob %s: A runs shard %d, B shard %d", *version, ofA, ofB)
	a.holdAll()
	b.holdAll()
	running := func(w *worker, shard int) bool {
		return w.count(begun(shard)) > w.count(fmt.Sprintf("end %d", shard))
	}
	s.await("both shards are held", func() bool { return running(a, ofA) && running(b, ofB) })
	b.kill()
	s.await("B's session ends", func() bool { return s.instances("report") == 1 })
	b = s.start("B", "report", shards)
	s.await("B is back", func() bool { return b.count("up") == 1 })
	s.say("B was killed in its run and is back")
	a.release(ofA)
	s.await("A takes over", func() bool { return running(a, ofB) })
	s.say("A has taken shard %d over; there is\n           %s", ofB, s.dump())
	a.kill()
	s.await("A's session ends", func() bool { return s.instances("report") == 1 })
	a = s.start("A", "report", shards)
	s.await("A is back", func() bool { return a.count("up") == 1 })
	s.say("A was killed in that run and is back")
	if heals() {
		s.healed(a, b)
		return
	}
	if !s.stuck(a, b) {
		t.Fatalf("ElasticJob healed itself; the state that was to be shown did not come up\n%s", s.dump())
	}
	s.say("nothing has run for six periods; there is\n           %s", s.dump())
	s.keep("restarts", "B restarted in a run, A took it over and restarted in that run.")
	s.repaired(elasticjob.BlockedClaimer, a, b)
}
