package testservers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Etcd is a member of an etcd cluster, mostly the only one. It listens on
// 127.0.0.1 only. Its methods are for the test's goroutine.
type Etcd struct {
	t       testing.TB
	process *process
	addr    string
	secure  string // likewise for TLS, empty without
	token   string // that may do everything, empty without authentication
}

// StartEtcd starts an etcd server with an empty data directory and returns once
// it answers a linearizable read. The server dies with the test. args are
// passed on to it; with --cert-file among them it takes TLS besides, at
// SecureAddr, in a process of this machine.
//
// The binary is $ELASTIC_ETCD_BIN, or .bin/etcd at the root of the repository.
// A missing binary fails the test: a skipped test proves nothing.
func StartEtcd(t testing.TB, args ...string) *Etcd {
	t.Helper()
	return StartEtcdCluster(t, 1, args...)[0]
}

// StartEtcdCluster is StartEtcd for a cluster of several members.
func StartEtcdCluster(t testing.TB, members int, args ...string) []*Etcd {
	t.Helper()
	const attempts = 5
	for attempt := 1; ; attempt++ {
		cluster := newEtcdCluster(t, members, args)
		err := startAll(cluster)
		if err == nil {
			return cluster
		}
		for _, e := range cluster {
			e.process.kill()
		}
		if attempt == attempts || !portTaken(err) {
			t.Fatalf("start etcd: %v", err)
		}
	}
}

func newEtcdCluster(t testing.TB, members int, args []string) []*Etcd {
	t.Helper()
	g, ports := newGroup(t, members), freePorts(t, 3*members)
	var peers []string
	for i := range members {
		peers = append(peers, fmt.Sprintf("m%d=http://%s:%d", i, g.Host(i), ports[members+i]))
	}
	var cluster []*Etcd
	for i := range members {
		name, peer, _ := strings.Cut(peers[i], "=")
		addr := fmt.Sprintf("127.0.0.1:%d", ports[i])
		listen, secure := fmt.Sprintf("http://%s:%d", g.Listen(), ports[i]), ""
		if slices.Contains(args, "--cert-file") {
			secure = fmt.Sprintf("127.0.0.1:%d", ports[2*members+i])
			listen += ",https://" + secure
		}
		cluster = append(cluster, &Etcd{
			t:      t,
			addr:   addr,
			secure: secure,
			process: newMember(t, g, i, Spec{Server: "etcd", Ports: ports[i : i+1], Args: append([]string{
				"--name", name, "--data-dir", filepath.Join(t.TempDir(), "data"),
				"--listen-client-urls", listen, "--advertise-client-urls", "http://" + addr,
				"--listen-peer-urls", fmt.Sprintf("http://%s:%d", g.Listen(), ports[members+i]), "--initial-advertise-peer-urls", peer,
				"--initial-cluster", strings.Join(peers, ","),
				// The shortest session that a server grants is 1.5 elections,
				// rounded up to a second: here 1 s.
				"--heartbeat-interval", "50", "--election-timeout", "300",
				// A killed process loses nothing that it has written.
				"--unsafe-no-fsync",
				"--log-level", "warn", "--logger", "zap",
			}, args...)}),
		})
	}
	return cluster
}

func startAll(cluster []*Etcd) error {
	for _, e := range cluster {
		if err := e.process.start(); err != nil {
			return err
		}
	}
	for _, e := range cluster {
		if err := e.process.awaitReady(e.Ready); err != nil {
			return err
		}
	}
	return nil
}

// Ready returns nil if the member serves, and otherwise why not. It asks for a
// linearizable read, which needs a leader, through the server's JSON gateway.
func (e *Etcd) Ready() error {
	status, text, err := e.ask(time.Second, "kv/range", `{"key":"AA==","count_only":true}`)
	if err != nil {
		return err
	}
	// With authentication on, the gateway refuses strangers; only a server that
	// works does that.
	if status != http.StatusOK && !strings.Contains(text, "user name is empty") {
		return fmt.Errorf("read: status %d: %s", status, text)
	}
	return nil
}

// IsLeader reports whether the member leads the cluster, by its own account.
func (e *Etcd) IsLeader() bool {
	_, text, err := e.ask(time.Second, "maintenance/status", "{}")
	var status struct {
		Header struct {
			Member string `json:"member_id"`
		}
		Leader string
	}
	return err == nil && json.Unmarshal([]byte(text), &status) == nil && status.Leader != "" &&
		status.Leader == status.Header.Member
}

// ask calls the server's JSON gateway.
func (e *Etcd) ask(within time.Duration, what, request string) (status int, text string, err error) {
	client := http.Client{Timeout: within}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest("POST", "http://"+e.addr+"/v3/"+what, strings.NewReader(request))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", e.token)
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// Addr returns host:port for clients. It stays the same over Restart.
func (e *Etcd) Addr() string { return e.addr }

// SecureAddr returns host:port for clients that speak TLS.
func (e *Etcd) SecureAddr() string { return e.secure }

// URL returns the URL of a store in a namespace of this server.
func (e *Etcd) URL(namespace string) string { return "etcd://" + e.addr + "/" + namespace }

// Kill ends the server as a crash does, and waits until it is gone.
func (e *Etcd) Kill() { e.t.Helper(); e.process.kill() }

// Stop asks the server to end in good order, and waits until it has.
func (e *Etcd) Stop() { e.t.Helper(); e.process.stop() }

// Restart starts the server again on its data and its port, ending it before if
// it still runs, and returns once it answers.
func (e *Etcd) Restart() {
	e.t.Helper()
	e.process.kill()
	if err := startAll([]*Etcd{e}); err != nil {
		e.t.Fatalf("restart etcd: %v", err)
	}
}

// Pause freezes the server: connections stay open and nothing answers.
func (e *Etcd) Pause() { e.t.Helper(); e.process.pause() }

// Resume lets a frozen server go on.
func (e *Etcd) Resume() { e.t.Helper(); e.process.resume() }

// Isolate separates the member from the others, and not from its clients, until
// Rejoin. Where members are processes it returns ErrNoIsolation.
func (e *Etcd) Isolate() error { return e.process.machine.Isolate() }

// Rejoin ends Isolate.
func (e *Etcd) Rejoin() error { return e.process.machine.Rejoin() }

// Metric returns the sum of a metric's samples whose labels include all of
// labels, each as in `grpc_method="Txn"`. A test can wait for a count to grow
// to know that the server has handled a request.
func (e *Etcd) Metric(name string, labels ...string) float64 {
	e.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + e.addr + "/metrics")
	if err != nil {
		e.t.Fatalf("metrics of etcd: %v", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		e.t.Fatalf("metrics of etcd: %v", err)
	}
	return sumMetric(string(text), name, labels)
}

func sumMetric(text, name string, labels []string) float64 {
	sum := 0.0
lines:
	for line := range strings.Lines(text) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue lines
			}
		}
		var v float64
		fmt.Sscan(value, &v)
		sum += v
	}
	return sum
}

// Ask makes a request of the server's JSON gateway, such as "lease/revoke",
// `{"ID":"7"}`, and returns the answer; one that is not 200 is an error. After
// Secure it has all permissions.
func (e *Etcd) Ask(what, request string) (string, error) {
	const patience = 20 * time.Second // to hash a password takes a while
	status, text, err := e.ask(patience, what, request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", what, status, text)
	}
	return text, err
}

// Secure turns authentication on: from now on the server refuses unknown users,
// and users have the permissions of their roles. Use Ask to create both.
func (e *Etcd) Secure() {
	e.t.Helper()
	const root = `{"name":"root","password":"root"}`
	var answer struct{ Token string }
	for _, step := range [][2]string{
		{"auth/user/add", root}, {"auth/role/add", `{"name":"root"}`}, {
			"auth/user/grant", `{"user":"root","role":"root"}`,
		},
		{"auth/enable", "{}"}, {"auth/authenticate", root},
	} {
		text, err := e.Ask(step[0], step[1])
		if err == nil && strings.HasSuffix(step[0], "authenticate") {
			err = json.Unmarshal([]byte(text), &answer)
		}
		if err != nil {
			e.t.Fatalf("turn authentication on: %v", err)
		}
	}
	e.token = answer.Token
}
