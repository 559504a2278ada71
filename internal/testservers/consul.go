package testservers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Consul is a server of a Consul data centre, mostly the only one. It listens
// on 127.0.0.1 only, keeps its data on disk, and grants sessions from
// one second on. Its methods are for the test's goroutine.
type Consul struct {
	t       testing.TB
	process *process
	addr    string // for HTTP
	tlsAddr string // for HTTPS, empty without it
	node    string
	token   string // that may do everything, empty without ACLs
}

// ConsulOptions configures a Consul server. The zero value is a server without
// ACLs and TLS.
type ConsulOptions struct {
	// ACLs turns access control on: a request without a token is refused. See
	// Consul.Policy.
	ACLs bool

	// CA, Cert and Key are files in PEM form. With them the server speaks HTTPS
	// besides (see Consul.TLSAddr), and takes only clients with a certificate
	// of the same authority.
	CA, Cert, Key string

	// Args are passed on to the agent, such as "-hcl", `limits {
	// kv_max_value_size = 1024 }`.
	Args []string
}

// consulManagement is the token with all permissions, on servers with ACLs.
const consulManagement = "7cc0ffee-0000-4000-8000-000000000001"

// StartConsul starts a Consul server with an empty data directory and returns
// when a session can be created, which needs a leader and the registration of
// the server's own node. The server dies with the test.
//
// The binary is $ELASTIC_CONSUL_BIN, or .bin/consul at the root of the
// repository. A missing binary fails the test: a skipped test proves
// nothing.
func StartConsul(t testing.TB, options ...ConsulOptions) *Consul {
	t.Helper()
	return StartConsulCluster(t, 1, options...)[0]
}

// StartConsulCluster is StartConsul for a cluster of several servers.
func StartConsulCluster(t testing.TB, members int, options ...ConsulOptions) []*Consul {
	t.Helper()
	const attempts = 5
	var o ConsulOptions
	if len(options) > 0 {
		o = options[0]
	}
	for attempt := 1; ; attempt++ {
		cluster := newConsulCluster(t, members, o)
		err := startConsuls(cluster)
		if err == nil {
			return cluster
		}
		for _, c := range cluster {
			c.process.kill()
		}
		if attempt == attempts || !portTaken(err) {
			t.Fatalf("start consul: %v", err)
		}
	}
}

// consulPorts is how many ports a server has: HTTP, HTTPS, RPC and gossip.
const consulPorts = 4

func newConsulCluster(t testing.TB, members int, o ConsulOptions) []*Consul {
	t.Helper()
	g, ports := newGroup(t, members), freePorts(t, consulPorts*members)
	var gossip []string
	for i := range members {
		gossip = append(gossip, fmt.Sprintf("%s:%d", g.Host(i), ports[consulPorts*i+3]))
	}
	var cluster []*Consul
	for i := range members {
		mine := ports[consulPorts*i : consulPorts*(i+1)]
		c := &Consul{t: t, node: fmt.Sprintf("m%d", i), addr: fmt.Sprintf("127.0.0.1:%d", mine[0])}
		reached := mine[:1]
		if o.Cert != "" {
			reached = mine[:2]
			c.tlsAddr = fmt.Sprintf("127.0.0.1:%d", mine[1])
		}
		if o.ACLs {
			c.token = consulManagement
		}
		args := append([]string{"agent", "-config-file", c.configFile(g.Listen(), mine, gossip, o)}, o.Args...)
		c.process = newMember(t, g, i, Spec{Server: "consul", Ports: reached, Args: args})
		cluster = append(cluster, c)
	}
	return cluster
}

// configFile writes the configuration of a server.
func (c *Consul) configFile(listen string, ports []int, gossip []string, o ConsulOptions) string {
	c.t.Helper()
	dir := c.t.TempDir()
	type object = map[string]any
	https := -1
	if o.Cert != "" {
		https = ports[1]
	}
	config := object{
		"node_name": c.node, "data_dir": c.dataDir(listen, dir), "server": true, "bootstrap_expect": len(gossip),
		"bind_addr": listen, "client_addr": listen, "retry_join": gossip, "retry_interval": "1s",
		"ports": object{
			"http":     ports[0],
			"https":    https,
			"server":   ports[2],
			"serf_lan": ports[3],
			"serf_wan": -1,
			"dns":      -1,
			"grpc":     -1,
			"grpc_tls": -1,
		},
		// Servers elect a leader within a second or two, as the ones of
		// production are configured to.
		"performance": object{"raft_multiplier": 1, "leave_drain_time": "0s"},
		// A server that is away for some seconds would be removed from the
		// cluster, and come back without a vote for ten seconds. Of three
		// servers, both others would then be needed.
		"autopilot":       object{"cleanup_dead_servers": false},
		"session_ttl_min": "1s",
		// A test's clients all come from one address.
		"limits":               object{"http_max_conns_per_client": 10000, "rpc_max_conns_per_client": 10000},
		"connect":              object{"enabled": false},
		"telemetry":            object{"prometheus_retention_time": "1h", "disable_hostname": true},
		"disable_update_check": true, "log_level": "warn", "leave_on_terminate": false, "skip_leave_on_interrupt": true,
	}
	if listen != "127.0.0.1" {
		config["advertise_addr"] = advertised(len(gossip))
	}
	if o.ACLs {
		config["acl"] = object{
			"enabled":        true,
			"default_policy": "deny",
			"tokens":         object{"initial_management": consulManagement, "agent": consulManagement},
		}
	}
	if o.Cert != "" {
		config["tls"] = object{"https": object{
			"ca_file":         o.CA,
			"cert_file":       o.Cert,
			"key_file":        o.Key,
			"verify_incoming": true,
		}}
	}
	text, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		c.t.Fatal(err)
	}
	file := filepath.Join(dir, "consul.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

// advertised is the address under which the members of a cluster in containers
// reach each other, as a template of Consul. It must belong to the network that
// Isolate disconnects, and not to Docker's own bridge, which clients use.
func advertised(members int) string {
	bridge, err := net.InterfaceByName("docker0")
	if err != nil || members == 1 {
		return "{{ GetPrivateIP }}"
	}
	addrs, err := bridge.Addrs()
	if err != nil || len(addrs) == 0 {
		return "{{ GetPrivateIP }}"
	}
	return fmt.Sprintf(
		`{{ GetPrivateInterfaces | include "type" "IPv4" | exclude "network" %q | attr "address" }}`, addrs[0],
	)
}

// dataDir returns where the server keeps its state. A killed process loses
// nothing that it has written, and Consul has no setting not to wait for the
// disk. So the state is in a file system in memory, if there is one.
func (c *Consul) dataDir(listen, dir string) string {
	const memory = "/dev/shm"
	if listen != "127.0.0.1" { // a container, which sees the directories of the test only
		return filepath.Join(dir, "data")
	}
	inMemory, err := os.MkdirTemp(memory, "consul")
	if err != nil {
		return filepath.Join(dir, "data")
	}
	c.t.Cleanup(func() { os.RemoveAll(inMemory) })
	return inMemory
}

func startConsuls(cluster []*Consul) error {
	for _, c := range cluster {
		if err := c.process.start(); err != nil {
			return err
		}
	}
	for _, c := range cluster {
		if err := c.process.awaitReady(c.Ready); err != nil {
			return err
		}
	}
	return nil
}

// Ready returns nil if the server serves, and otherwise why not. It starts a
// session, writes and deletes a key with it, and ends it. A leader alone is not
// enough: until the server's node is in the catalogue, sessions are refused
// (Consul issue 819).
func (c *Consul) Ready() error {
	answer, err := c.Ask("PUT", "session/create", `{"TTL":"10s","Behavior":"delete","LockDelay":"1ms","NodeChecks":[]}`)
	if err != nil {
		return err
	}
	var session struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &session); err != nil {
		return fmt.Errorf("session: %w: %s", err, answer)
	}
	if _, err := c.Ask("PUT", "kv/ready/"+c.node+"?acquire="+session.ID, "ready"); err != nil {
		return err
	}
	_, err = c.Ask("PUT", "session/destroy/"+session.ID, "")
	return err
}

// Ask makes a request of the server's HTTP API, such as "PUT", "kv/name",
// "value", and returns the body of the answer. An answer that is neither 200
// nor 404 is an error. With ACLs it has all permissions.
func (c *Consul) Ask(method, what, body string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(method, "http://"+c.addr+"/v1/"+what, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	if c.token != "" {
		request.Header.Set("X-Consul-Token", c.token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotFound {
		err = fmt.Errorf("%s %s: status %d: %s", method, what, answer.StatusCode, text)
	}
	return string(text), err
}

func (c *Consul) mustAsk(method, what, body string) string {
	c.t.Helper()
	text, err := c.Ask(method, what, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// Policy returns a new token with the rights of a policy, such as `key_prefix
// "demo/" { policy = "write" }`.
func (c *Consul) Policy(rules string) (token string) {
	c.t.Helper()
	type object = map[string]any
	as := func(what string, v object) (answer struct{ ID, SecretID string }) {
		c.t.Helper()
		text, _ := json.Marshal(v)
		if err := json.Unmarshal([]byte(c.mustAsk("PUT", what, string(text))), &answer); err != nil {
			c.t.Fatal(err)
		}
		return answer
	}
	policy := as("acl/policy", object{"Name": fmt.Sprintf("p%d", time.Now().UnixNano()), "Rules": rules})
	return as("acl/token", object{"Policies": []object{{"ID": policy.ID}}}).SecretID
}

// IsLeader reports whether the server leads the cluster, by its own account.
func (c *Consul) IsLeader() bool {
	text, err := c.Ask("GET", "agent/self", "")
	var self struct {
		Stats struct{ Consul struct{ Leader string } }
	}
	return err == nil && json.Unmarshal([]byte(text), &self) == nil && self.Stats.Consul.Leader == "true"
}

// Snapshot saves the state of the cluster. Restore replaces the state by it.
func (c *Consul) Snapshot() (snapshot string) { c.t.Helper(); return c.mustAsk("GET", "snapshot", "") }

// Restore replaces the state by a Snapshot. Indexes go back.
func (c *Consul) Restore(snapshot string) { c.t.Helper(); c.mustAsk("PUT", "snapshot", snapshot) }

// Metric returns the sum of a metric's samples whose labels include all of
// labels, such as consul_txn_apply_count, the number of transactions that the
// server has dealt with as the leader.
func (c *Consul) Metric(name string, labels ...string) float64 {
	c.t.Helper()
	return sumMetric(c.mustAsk("GET", "agent/metrics?format=prometheus", ""), name, labels)
}

// Addr returns host:port for clients that speak HTTP. It stays the same over
// Restart.
func (c *Consul) Addr() string { return c.addr }

// TLSAddr returns host:port for clients that speak HTTPS, empty if
// ConsulOptions don't name a certificate.
func (c *Consul) TLSAddr() string { return c.tlsAddr }

// Node returns the name of the server's own node, which sessions are bound to.
func (c *Consul) Node() string { return c.node }

// Token returns the token with all permissions, empty without ACLs.
func (c *Consul) Token() string { return c.token }

// URL returns the URL of a store in a namespace of this server.
func (c *Consul) URL(namespace string) string { return "consul://" + c.addr + "/" + namespace }

// Kill ends the server as a crash does, and waits until it is gone.
func (c *Consul) Kill() { c.t.Helper(); c.process.kill() }

// Stop asks the server to end in good order, and waits until it has.
func (c *Consul) Stop() { c.t.Helper(); c.process.stop() }

// Restart starts the server again on its data and its port, ending it before if
// it still runs, and returns once it answers.
func (c *Consul) Restart() {
	c.t.Helper()
	c.process.kill()
	if err := startConsuls([]*Consul{c}); err != nil {
		c.t.Fatalf("restart consul: %v", err)
	}
}

// Pause freezes the server: connections stay open and nothing answers.
func (c *Consul) Pause() { c.t.Helper(); c.process.pause() }

// Resume lets a frozen server go on.
func (c *Consul) Resume() { c.t.Helper(); c.process.resume() }

// Isolate separates the server from the others, and not from its clients, until
// Rejoin. Where servers are processes it returns ErrNoIsolation.
func (c *Consul) Isolate() error { return c.process.machine.Isolate() }

// Rejoin ends Isolate. The server is restarted, because it looks for the others
// when it starts, and otherwise every half minute.
func (c *Consul) Rejoin() error {
	c.t.Helper()
	if err := c.process.machine.Rejoin(); err != nil {
		return err
	}
	c.Restart()
	return nil
}
