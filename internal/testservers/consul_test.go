package testservers_test

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

func put(t *testing.T, c *testservers.Consul, key, value string) {
	t.Helper()
	if _, err := c.Ask("PUT", "kv/"+key, value); err != nil {
		t.Fatal(err)
	}
}

func has(c *testservers.Consul, key, value string) bool {
	text, err := c.Ask("GET", "kv/"+key+"?raw", "")
	return err == nil && text == value
}

func TestConsul_KeepsDataAndPort(t *testing.T) {
	t.Parallel()
	c := testservers.StartConsul(t)
	put(t, c, "k", "v")
	for what, end := range map[string]func(){"kill": c.Kill, "stop": c.Stop} {
		end()
		if _, err := c.Ask("GET", "status/leader", ""); err == nil {
			t.Errorf("still answers after %s", what)
		}
		c.Restart()
		if !has(c, "k", "v") {
			t.Errorf("the key is gone after %s", what)
		}
	}
	if text, err := c.Ask("GET", "kv/?keys", ""); err != nil || strings.Contains(text, "ready") {
		t.Errorf("to be ready leaves something behind: %s, %v", text, err)
	}
}

func TestConsul_SilentWhilePaused(t *testing.T) {
	t.Parallel()
	c := testservers.StartConsul(t)
	c.Pause()
	if _, err := c.Ask("GET", "kv/k", ""); err == nil {
		t.Error("a frozen server answered")
	}
	c.Resume()
	await(t, "the server to answer again", func() bool { _, err := c.Ask("GET", "kv/k", ""); return err == nil })
}

func TestConsul_RestoresSnapshot(t *testing.T) {
	t.Parallel()
	c := testservers.StartConsul(t)
	put(t, c, "k", "before")
	s := c.Snapshot()
	put(t, c, "k", "after")
	c.Restore(s)
	await(t, "the old state", func() bool { return has(c, "k", "before") })
}

func TestConsul_CountsTransactions(t *testing.T) {
	t.Parallel()
	c := testservers.StartConsul(t)
	count := func() float64 { return c.Metric("consul_txn_apply_count") }
	before := count()
	for range 3 {
		if _, err := c.Ask("PUT", "txn", `[{"KV":{"Verb":"set","Key":"k","Value":"dg=="}}]`); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, count()-before, 3)
}

func TestConsul_GrantsPolicy(t *testing.T) {
	t.Parallel()
	c := testservers.StartConsul(t, testservers.ConsulOptions{ACLs: true})
	put(t, c, "mine/k", "v")
	token := c.Policy(`key_prefix "mine/" { policy = "read" }`)
	if text, err := c.Ask("GET", "kv/mine/k?raw&token="+token, ""); err != nil || text != "v" {
		t.Errorf("read with the token: %q, %v", text, err)
	}
}

func TestConsul_ClusterElectsAnotherLeader(t *testing.T) {
	t.Parallel()
	cluster := testservers.StartConsulCluster(t, 3)
	leader := func() *testservers.Consul {
		for _, c := range cluster {
			if c.IsLeader() {
				return c
			}
		}
		return nil
	}
	first := leader()
	if first == nil {
		t.Fatal("a cluster that answers has no leader")
	}
	first.Kill()
	await(t, "another leader", func() bool { return leader() != nil && leader() != first })
	first.Restart()
}
