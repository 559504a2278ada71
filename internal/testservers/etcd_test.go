package testservers_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// rest asks the server's JSON gateway. Keys and values are base64.
func rest(t *testing.T, e *testservers.Etcd, what, body string) (string, error) {
	t.Helper()
	client := http.Client{Timeout: 500 * time.Millisecond}
	defer client.CloseIdleConnections()
	answer, err := client.Post("http://"+e.Addr()+"/v3/kv/"+what, "application/json", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func TestEtcd_KeepsDataAndPort(t *testing.T) {
	e := testservers.StartEtcd(t)
	holds := func() {
		t.Helper()
		text, err := rest(t, e, "range", `{"key":"aw=="}`)
		if err != nil || !strings.Contains(text, `"dg=="`) {
			t.Fatalf("read: %s, %v", text, err)
		}
	}
	if _, err := rest(t, e, "put", `{"key":"aw==","value":"dg=="}`); err != nil {
		t.Fatal(err)
	}
	for what, end := range map[string]func(){"kill": e.Kill, "stop": e.Stop} {
		end()
		if _, err := rest(t, e, "range", `{"key":"aw=="}`); err == nil {
			t.Errorf("still answers after %s", what)
		}
		e.Restart()
		holds()
	}
	e.Restart() // of a server that runs
	holds()
}

func TestEtcd_SilentWhilePaused(t *testing.T) {
	e := testservers.StartEtcd(t)
	e.Pause()
	if _, err := rest(t, e, "range", `{"key":"aw=="}`); err == nil {
		t.Error("a frozen server answered")
	}
	e.Resume()
	await(t, "the server to answer again", func() bool {
		_, err := rest(t, e, "range", `{"key":"aw=="}`)
		return err == nil
	})
}

func TestEtcd_ServersAreSeparate(t *testing.T) {
	a, b := testservers.StartEtcd(t), testservers.StartEtcd(t)
	if _, err := rest(t, a, "put", `{"key":"aw==","value":"dg=="}`); err != nil {
		t.Fatal(err)
	}
	if text, err := rest(t, b, "range", `{"key":"aw=="}`); err != nil || strings.Contains(text, "dg==") {
		t.Errorf("the other server answers %s, %v", text, err)
	}
}

func TestEtcd_MetricCountsRequests(t *testing.T) {
	e := testservers.StartEtcd(t)
	count := func() float64 { return e.Metric("grpc_server_handled_total", `grpc_method="Put"`, `grpc_code="OK"`) }
	before := count()
	for range 3 {
		if _, err := rest(t, e, "put", `{"key":"aw==","value":"dg=="}`); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, count()-before, 3)
}

func TestEtcd_PassesArguments(t *testing.T) {
	e := testservers.StartEtcd(t, "--max-txn-ops", "7")
	equal(t, e.URL("ns"), "etcd://"+e.Addr()+"/ns")
	op := `{"request_put":{"key":"aw==","value":"dg=="}}`
	text, err := rest(t, e, "txn", `{"success":[`+strings.Repeat(op+",", 7)+op+`]}`)
	if err != nil || !strings.Contains(text, "too many operations") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestEtcd_ClusterElectsAnotherLeader(t *testing.T) {
	cluster := testservers.StartEtcdCluster(t, 3)
	leader := func() *testservers.Etcd {
		for _, e := range cluster {
			if e.IsLeader() {
				return e
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
