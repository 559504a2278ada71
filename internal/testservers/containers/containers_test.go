package containers

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// These tests are about containers: an engine that does not answer fails them.
func TestMain(m *testing.M) {
	os.Setenv("ELASTIC_TEST_RUNTIME", "docker")
	os.Exit(m.Run())
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestContainer_KeepsDataAndPort(t *testing.T) {
	t.Parallel()
	z := testservers.StartZooKeeper(t)
	serves := func() bool {
		text, err := z.Ask("srvr")
		return err == nil && strings.Contains(text, "Mode: standalone")
	}
	for what, end := range map[string]func(){"kill": z.Kill, "stop": z.Stop} {
		end()
		if serves() {
			t.Errorf("still answers after %s", what)
		}
		z.Restart()
		if !serves() {
			t.Errorf("does not answer after %s and restart", what)
		}
	}
	z.Pause()
	if serves() {
		t.Error("answers while it is frozen")
	}
	z.Resume()
	await(t, "the server to answer again", serves)
}

func TestContainer_IsolatedLeaderServesClients(t *testing.T) {
	t.Parallel()
	cluster := testservers.StartEtcdCluster(t, 3)
	leader := func(but *testservers.Etcd) *testservers.Etcd {
		for _, e := range cluster {
			if e != but && e.IsLeader() {
				return e
			}
		}
		return nil
	}
	first := leader(nil)
	if first == nil {
		t.Fatal("a cluster that answers has no leader")
	}
	if err := first.Isolate(); err != nil {
		t.Fatal(err)
	}
	await(t, "the others to have another leader", func() bool { return leader(first) != nil })
	await(t, "the old one to say that it leads no more", func() bool { return !first.IsLeader() })
	if err := first.Rejoin(); err != nil {
		t.Fatal(err)
	}
	before := first.Metric("etcd_server_has_leader")
	await(t, "the old one to follow", func() bool { return first.Metric("etcd_server_has_leader") == 1 })
	t.Logf("has_leader right after it had rejoined: %v", before)
}

func TestSweep_RemovesLeftContainers(t *testing.T) {
	t.Parallel()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	pid := dead.Process.Pid
	name := owner(pid)
	dead.Wait()
	if !isDead(name) || isDead(labels()[ownerLabel]) {
		t.Fatalf(
			"%s is dead: %v, want true; this process is dead: %v, want false",
			name, isDead(name), isDead(labels()[ownerLabel]),
		)
	}
	set, _ := images()
	var request testcontainers.GenericContainerRequest
	request.Started = true
	request.ContainerRequest = testcontainers.ContainerRequest{
		Image:      set["etcd"].ref,
		Entrypoint: set["etcd"].program,
		Cmd:        []string{"--data-dir", "/tmp/d"},
		Labels:     map[string]string{ownerLabel: name},
	}
	box, err := testcontainers.GenericContainer(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	net, err := c.NetworkCreate(
		t.Context(), "elastic-test-dead", client.NetworkCreateOptions{Labels: map[string]string{ownerLabel: name}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := sweep(c); n != 2 || err != nil {
		t.Errorf("removed %d, %v, want the container and the network", n, err)
	}
	_, err = c.ContainerInspect(context.Background(), box.GetContainerID(), client.ContainerInspectOptions{})
	if err == nil {
		t.Error("the container is still there")
	}
	if _, err := c.NetworkInspect(context.Background(), net.ID, client.NetworkInspectOptions{}); err == nil {
		t.Error("the network is still there")
	}
}

func TestContainer_NothingLeftAfterFailedTest(t *testing.T) {
	t.Parallel()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	t.Run("stops half-way", func(t *testing.T) {
		g, err := engine{}.Group(t, 2)
		if err != nil {
			t.Fatal(err)
		}
		name = g.(*group).name
		m, err := g.Machine(0, testservers.Spec{Server: "etcd", Args: []string{"--data-dir", "/tmp/d"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		t.SkipNow() // as FailNow does, it ends the test here and runs what cleans up
	})
	boxes, err := c.ContainerList(t.Context(), client.ContainerListOptions{
		All:     true,
		Filters: client.Filters{}.Add("name", name),
	})
	if err != nil || len(boxes.Items) > 0 {
		t.Errorf("left: %v, %v", boxes.Items, err)
	}
	nets, err := c.NetworkList(t.Context(), client.NetworkListOptions{Filters: client.Filters{}.Add("name", name)})
	if err != nil || len(nets.Items) > 0 {
		t.Errorf("left: %v, %v", nets.Items, err)
	}
}
