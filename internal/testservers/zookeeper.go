package testservers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ZooKeeper is a server of an ensemble, mostly the only one. It listens on
// 127.0.0.1 only. Its methods are for the test's goroutine.
type ZooKeeper struct {
	t       testing.TB
	process *process
	addr    string
	dir     string // of its data
}

// zooKeeperJars are what a server needs of Debian's zookeeper package and those
// that it depends on. With all jars of the directory Java starts much more
// slowly.
var zooKeeperJars = []string{
	"zookeeper.jar",
	"zookeeper-jute.jar",
	"slf4j-api.jar",
	"slf4j-simple.jar",
	"netty-*.jar",
	"metrics-core.jar",
	"snappy-java.jar",
}

// StartZooKeeper starts a ZooKeeper server with an empty data directory and
// returns once it serves. The server dies with the test. A tick is half a
// second, so that it grants sessions of 1 s to 10 s. Each of config is one more
// line of its configuration, such as "maxSessionTimeout=60000", or, if it
// begins with a dash, an argument of Java, such as "-Djute.maxbuffer=16384".
//
// The jars are those in $ELASTIC_ZOOKEEPER_JARS, or in /usr/share/java, where
// Debian's package zookeeper has them. If they are missing, or Java is, the
// test fails: a skipped test proves nothing.
func StartZooKeeper(t testing.TB, config ...string) *ZooKeeper {
	t.Helper()
	return StartZooKeeperEnsemble(t, 1, config...)[0]
}

// StartZooKeeperEnsemble is StartZooKeeper for several servers.
func StartZooKeeperEnsemble(t testing.TB, members int, config ...string) []*ZooKeeper {
	t.Helper()
	const attempts = 5
	for attempt := 1; ; attempt++ {
		ensemble := newZooKeepers(t, members, config)
		err := startZooKeepers(ensemble)
		if err == nil {
			return ensemble
		}
		for _, z := range ensemble {
			z.process.kill()
		}
		if attempt == attempts || !portTaken(err) {
			t.Fatalf("start zookeeper: %v", err)
		}
	}
}

// findZooKeeper returns the paths of Java and of the jars.
func findZooKeeper(t testing.TB) (java, classes string) {
	t.Helper()
	dir := os.Getenv("ELASTIC_ZOOKEEPER_JARS")
	if dir == "" {
		dir = "/usr/share/java"
	}
	var jars []string
	for _, pattern := range zooKeeperJars {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are well-formed
		jars = append(jars, found...)
	}
	java, err := exec.LookPath("java")
	if _, err2 := os.Stat(filepath.Join(dir, zooKeeperJars[0])); err != nil || err2 != nil {
		t.Fatalf("no ZooKeeper server to test against: run `make servers` at the root of the repository, "+
			"or install Java and Debian's "+
			"package zookeeper, or set ELASTIC_ZOOKEEPER_JARS: %v", errors.Join(err, err2))
	}
	return java, strings.Join(jars, string(os.PathListSeparator))
}

func newZooKeepers(t testing.TB, members int, config []string) []*ZooKeeper {
	t.Helper()
	g, ports := newGroup(t, members), freePorts(t, 3*members)
	common := append(
		[]string{
			"tickTime=500",
			"clientPortAddress=" + g.Listen(),
			"maxClientCnxns=0",
			"4lw.commands.whitelist=*",
			"admin.enableServer=false",
		},
		config...,
	)
	if members > 1 {
		// A member that comes back by another address than before is found
		// again, and all listen on all addresses.
		common = append(
			common, "initLimit=20", "syncLimit=4", "quorumListenOnAllIPs="+fmt.Sprint(g.Listen() != "127.0.0.1"),
		)
		// A lost vote, as during the restart of its receiver, is repeated after
		// at most 500 ms, and not after up to a minute. A member that is away
		// is given up after the same time, and not after 5 s, during which it
		// blocks messages to others.
		common = append(
			common, "fastleader.minNotificationInterval=100", "fastleader.maxNotificationInterval=500",
			"cnxTimeout=500",
		)
		for i := range members {
			common = append(common, fmt.Sprintf("server.%d=%s:%d:%d", i+1, g.Host(i), ports[3*i+1], ports[3*i+2]))
		}
	}
	var ensemble []*ZooKeeper
	for i := range members {
		ensemble = append(ensemble, newZooKeeper(t, g, i, ports[3*i], common))
	}
	return ensemble
}

// newZooKeeper makes a member of an ensemble.
func newZooKeeper(t testing.TB, g Group, member, port int, config []string) *ZooKeeper {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "myid"), []byte(fmt.Sprint(member+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := []string{"dataDir=" + dir, fmt.Sprintf("clientPort=%d", port)}
	var options []string
	for _, line := range config {
		if strings.HasPrefix(line, "-") {
			options = append(options, line)
		} else {
			lines = append(lines, line)
		}
	}
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &ZooKeeper{
		t:    t,
		dir:  dir,
		addr: fmt.Sprintf("127.0.0.1:%d", port),
		process: newMember(t, g, member, Spec{Server: "zookeeper", Ports: []int{port}, Args: append(options,
			// Start fast and stay small; peak speed does not matter.
			"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			// A killed process loses nothing that it has written.
			"-Dzookeeper.forceSync=no",
			// Empty directories are removed every second instead of every
			// minute, so that it happens in tests.
			"-Dznode.container.checkIntervalMs=1000",
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", file,
		)}),
	}
}

func startZooKeepers(ensemble []*ZooKeeper) error {
	for _, z := range ensemble {
		if err := z.process.start(); err != nil {
			return err
		}
	}
	for _, z := range ensemble {
		if err := z.process.awaitReady(z.Ready); err != nil {
			return err
		}
	}
	return nil
}

// Ready returns nil if the server serves, and otherwise the reason. The server
// answers the question only while it serves.
func (z *ZooKeeper) Ready() error {
	text, err := z.Ask("srvr")
	if err == nil && !strings.Contains(text, "Mode: ") {
		err = fmt.Errorf("the server answers %q", text)
	}
	return err
}

// Ask sends one of ZooKeeper's commands of four letters and returns the answer.
func (z *ZooKeeper) Ask(command string) (string, error) {
	const patience = time.Second
	conn, err := net.DialTimeout("tcp", z.addr, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	return string(text), err
}

// IsLeader reports whether the server leads its ensemble, by its own account.
func (z *ZooKeeper) IsLeader() bool {
	text, err := z.Ask("srvr")
	return err == nil && strings.Contains(text, "Mode: leader")
}

// Addr returns host:port for clients. It stays the same over Restart.
func (z *ZooKeeper) Addr() string { return z.addr }

// URL returns the URL of a store in a namespace of this server.
func (z *ZooKeeper) URL(namespace string) string { return "zookeeper://" + z.addr + "/" + namespace }

// Kill ends the server as a crash does, and waits until it is gone.
func (z *ZooKeeper) Kill() { z.t.Helper(); z.process.kill() }

// Stop asks the server to end in good order, and waits until it has.
func (z *ZooKeeper) Stop() { z.t.Helper(); z.process.stop() }

// Restart starts the server again on its data and its port, ending it before if
// it still runs, and returns once it serves.
func (z *ZooKeeper) Restart() {
	z.t.Helper()
	z.process.kill()
	if err := startZooKeepers([]*ZooKeeper{z}); err != nil {
		z.t.Fatalf("restart zookeeper: %v", err)
	}
}

// PutBack kills the server, puts its data back to what Save has kept, and
// starts it again.
func (z *ZooKeeper) PutBack(kept string) {
	z.t.Helper()
	z.process.kill()
	data := filepath.Join(z.dir, zooKeeperData)
	if err := errors.Join(os.RemoveAll(data), os.CopyFS(data, os.DirFS(kept))); err != nil {
		z.t.Fatalf("put data back: %v", err)
	}
	z.Restart()
}

// Save stops the server, keeps its data, and starts it again. It is for servers
// that are processes of this machine.
func (z *ZooKeeper) Save() (kept string) {
	z.t.Helper()
	z.process.stop()
	kept = z.t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(filepath.Join(z.dir, zooKeeperData))); err != nil {
		z.t.Fatalf("save data: %v", err)
	}
	z.Restart()
	return kept
}

// zooKeeperData is where a server has its data, below its directory.
const zooKeeperData = "version-2"

// Pause freezes the server: connections stay open and nothing answers.
func (z *ZooKeeper) Pause() { z.t.Helper(); z.process.pause() }

// Resume lets a frozen server go on.
func (z *ZooKeeper) Resume() { z.t.Helper(); z.process.resume() }

// Isolate separates the server from the others, and not from its clients, until
// Rejoin. Where servers are processes it returns ErrNoIsolation.
func (z *ZooKeeper) Isolate() error { return z.process.machine.Isolate() }

// Rejoin ends Isolate.
func (z *ZooKeeper) Rejoin() error { return z.process.machine.Rejoin() }
