package testservers_test

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// The driver's own tests say more; these are what the starter promises by
// itself.
func TestZooKeeper_StartsAndComesBack(t *testing.T) {
	z := testservers.StartZooKeeper(t, "maxSessionTimeout=60000")
	serves := func() bool {
		text, err := z.Ask("srvr")
		return err == nil && strings.Contains(text, "Mode: standalone")
	}
	addr := z.Addr()
	equal(t, z.URL("ns"), "zookeeper://"+addr+"/ns")
	text, err := z.Ask("conf")
	if err != nil || !strings.Contains(text, "minSessionTimeout=1000") ||
		!strings.Contains(text, "maxSessionTimeout=60000") {
		t.Errorf("the configuration is not what was asked for: %s, %v", text, err)
	}
	for what, end := range map[string]func(){"kill": z.Kill, "stop": z.Stop} {
		end()
		if serves() {
			t.Errorf("still answers after %s", what)
		}
		z.Restart()
		equal(t, z.Addr(), addr)
		equal(t, serves(), true)
	}
	z.Pause()
	equal(t, serves(), false)
	z.Resume()
	await(t, "the server to answer again", serves)
}

func TestZooKeeper_EnsembleElectsAnotherLeader(t *testing.T) {
	ensemble := testservers.StartZooKeeperEnsemble(t, 3)
	leader := func() *testservers.ZooKeeper {
		for _, z := range ensemble {
			if z.IsLeader() {
				return z
			}
		}
		return nil
	}
	first := leader()
	if first == nil {
		t.Fatal("an ensemble that serves has no leader")
	}
	first.Kill()
	await(t, "another leader", func() bool { return leader() != nil && leader() != first })
	first.Restart()
}
