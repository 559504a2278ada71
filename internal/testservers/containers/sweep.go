package containers

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// ownerLabel is a label of everything that a test process creates: its host,
// PID and start time.
const ownerLabel = "elastic.test.owner"

func labels() map[string]string { return map[string]string{ownerLabel: owner(os.Getpid())} }

// owner names a process of this machine. A later process with the same PID has
// another name.
func owner(pid int) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d/%s", host, pid, started(pid))
}

// started returns the start time of a process in the system's unit, or an empty
// string if the system does not tell.
func started(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name may hold anything; what follows it is 20 fields up to the start
	// time.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// isDead reports whether the owner was a process of this machine that is gone.
func isDead(name string) bool {
	host, rest, _ := strings.Cut(name, "/")
	var pid int
	if here, _ := os.Hostname(); here != host {
		return false
	}
	if _, err := fmt.Sscanf(rest, "%d/", &pid); err != nil {
		return false
	}
	if isGone(pid) {
		return true
	}
	return owner(pid) != name
}

// sweep removes the containers and networks of dead test processes, and returns
// their number.
func sweep(c *testcontainers.DockerClient) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ours := client.Filters{}.Add("label", ownerLabel)
	found, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return 0, err
	}
	for _, box := range found.Items {
		if isDead(box.Labels[ownerLabel]) {
			_, err := c.ContainerRemove(ctx, box.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil && !alreadyRemoved(err) {
				return n, err
			}
			n++
		}
	}
	nets, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return n, err
	}
	for _, net := range nets.Items {
		if isDead(net.Labels[ownerLabel]) {
			_, err := c.NetworkRemove(ctx, net.ID, client.NetworkRemoveOptions{})
			if err != nil && !alreadyRemoved(err) {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// alreadyRemoved reports whether another test process removes, or has removed,
// the same thing.
func alreadyRemoved(err error) bool {
	return errdefs.IsNotFound(err) || strings.Contains(err.Error(), "already in progress")
}
