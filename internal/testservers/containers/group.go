package containers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// group holds the containers of a cluster. Clients reach them over the engine's
// default network, which publishes their ports. They reach each other over
// another network, so that a member can be disconnected from that one alone.
type group struct {
	t       testing.TB
	engine  *testcontainers.DockerClient
	network string // of the members; empty if there is but one
	subnet  netip.Prefix
	name    string
}

var groups atomic.Int64

// Group prepares the members of a cluster.
func (engine) Group(t testing.TB, members int) (testservers.Group, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	g := &group{t: t, engine: c, name: fmt.Sprintf("elastic-test-%d-%d", os.Getpid(), groups.Add(1))}
	if members == 1 {
		return g, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := g.createNetwork(ctx); err != nil {
		return nil, fmt.Errorf("create network %s: %w", g.name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := c.NetworkRemove(ctx, g.network, client.NetworkRemoveOptions{}); err != nil {
			t.Errorf("remove network %s: %v", g.name, err)
		}
	})
	return g, nil
}

// createNetwork creates the network of the members, with fixed addresses: a
// member that was disconnected comes back under its address, like a machine
// whose cable was pulled. Servers that know each other by address don't find a
// member that moved.
func (g *group) createNetwork(ctx context.Context) error {
	var err error
	for range 100 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + rand.N(128)), byte(rand.N(256)), 0}), 24)
		made, createErr := g.engine.NetworkCreate(ctx, g.name, client.NetworkCreateOptions{
			Driver: "bridge", Labels: labels(), IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet}}},
		})
		if createErr == nil {
			g.network, g.subnet = made.ID, subnet
			return nil
		}
		if err = createErr; !strings.Contains(err.Error(), "overlap") {
			return err
		}
	}
	return err
}

// address returns the address of a member. The first address is the gateway's.
func (g *group) address(member int) netip.Addr {
	a := g.subnet.Addr().As4()
	a[3] = byte(10 + member)
	return netip.AddrFrom4(a)
}

func (*group) Listen() string { return "0.0.0.0" }

func (g *group) Host(member int) string { return fmt.Sprintf("%s-%d", g.name, member) }

// Machine creates the container of a member. Its processes run as the user of
// this process, so that the test can remove their files.
func (g *group) Machine(member int, s testservers.Spec) (testservers.Machine, error) {
	set, _ := images()
	from, ok := set[s.Server]
	if !ok {
		return nil, fmt.Errorf("there is no image of %s", s.Server)
	}
	bindings, exposed := network.PortMap{}, []string{}
	for _, p := range s.Ports {
		port := network.MustParsePort(strconv.Itoa(p) + "/tcp")
		exposed = append(exposed, port.String())
		bindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(p)}}
	}
	dir := filepath.Dir(g.t.TempDir()) // holds all of the test's
	ctx, cancel := context.WithTimeout(context.Background(), pulling)
	defer cancel()
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Logger: quiet,
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        from.ref,
			Name:         g.Host(member),
			Entrypoint:   from.program,
			Cmd:          s.Args,
			ExposedPorts: exposed,
			Labels:       labels(),
			ConfigModifier: func(c *container.Config) {
				c.User = fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
				c.Hostname = g.Host(member)
			},
			HostConfigModifier: func(h *container.HostConfig) {
				h.Binds = []string{dir + ":" + dir}
				h.PortBindings = bindings
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create a container of %s: %w", from.ref, err)
	}
	b := &box{group: g, container: c, host: g.Host(member), member: member}
	g.t.Cleanup(func() {
		if err := b.remove(); err != nil {
			g.t.Errorf("remove container %s: %v", b.host, err)
		}
	})
	if g.network == "" {
		return b, nil
	}
	return b, b.Rejoin()
}

// box is one container.
type box struct {
	member    int
	group     *group
	container testcontainers.Container
	host      string
}

func (b *box) id() string { return b.container.GetContainerID() }

// do makes a request to the engine.
func do(what string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := f(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (b *box) Start() error { return do("start container", b.container.Start) }

func (b *box) Running() bool {
	running := false
	err := do("inspect", func(ctx context.Context) error {
		state, err := b.container.State(ctx)
		running = err == nil && state.Running
		return err
	})
	return err == nil && running
}

func (b *box) Kill() error {
	if !b.Running() {
		return nil
	}
	return do("kill container", func(ctx context.Context) error {
		gone := b.group.engine.ContainerWait(
			ctx, b.id(), client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning},
		)
		_, err := b.group.engine.ContainerKill(ctx, b.id(), client.ContainerKillOptions{Signal: "KILL"})
		if err != nil {
			return err
		}
		select {
		case <-gone.Result:
			return nil
		case err := <-gone.Error:
			return err
		}
	})
}

func (b *box) Stop() error {
	const seconds = 10
	return do("stop container", func(ctx context.Context) error {
		timeout := seconds
		_, err := b.group.engine.ContainerStop(ctx, b.id(), client.ContainerStopOptions{Timeout: &timeout})
		return err
	})
}

func (b *box) Pause() error {
	return do("pause container", func(ctx context.Context) error {
		_, err := b.group.engine.ContainerPause(ctx, b.id(), client.ContainerPauseOptions{})
		return err
	})
}

func (b *box) Resume() error {
	return do("resume container", func(ctx context.Context) error {
		_, err := b.group.engine.ContainerUnpause(ctx, b.id(), client.ContainerUnpauseOptions{})
		return err
	})
}

func (b *box) Isolate() error {
	if b.group.network == "" {
		return errors.New("a single server has no other member to be separated from")
	}
	return do("disconnect container", func(ctx context.Context) error {
		_, err := b.group.engine.NetworkDisconnect(ctx, b.group.network, client.NetworkDisconnectOptions{
			Container: b.id(),
			Force:     true,
		})
		return err
	})
}

func (b *box) Rejoin() error {
	return do("connect container", func(ctx context.Context) error {
		_, err := b.group.engine.NetworkConnect(ctx, b.group.network, client.NetworkConnectOptions{
			Container: b.id(), EndpointConfig: &network.EndpointSettings{
				Aliases:    []string{b.host},
				IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: b.group.address(b.member)},
			},
		})
		return err
	})
}

// Output returns the last lines of what the server has written.
func (b *box) Output() string {
	const lines = 40
	var text []byte
	err := do("read the output", func(ctx context.Context) error {
		r, err := b.container.Logs(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		text, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (b *box) remove() error {
	return do("remove", func(ctx context.Context) error {
		_, err := b.group.engine.ContainerRemove(ctx, b.id(), client.ContainerRemoveOptions{
			Force:         true,
			RemoveVolumes: true,
		})
		return err
	})
}
