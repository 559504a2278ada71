package testservers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// local is the runtime that starts processes of this machine, on 127.0.0.1. It
// is also a group, because processes need nothing from each other.
type local struct{ t testing.TB }

func (local) Check() (string, error) { return "processes", nil }

func (local) Group(t testing.TB, members int) (Group, error) { return local{t}, nil }

func (local) Listen() string  { return "127.0.0.1" }
func (local) Host(int) string { return "127.0.0.1" }

func (l local) Machine(_ int, s Spec) (Machine, error) {
	path, args := program(l.t, s.Server)
	return &child{path: path, args: append(args, s.Args...), out: filepath.Join(l.t.TempDir(), s.Server+".log")}, nil
}

// program returns the command of a server: a binary, and its first arguments.
func program(t testing.TB, server string) (path string, args []string) {
	t.Helper()
	switch server {
	case "zookeeper":
		java, classes := findZooKeeper(t)
		return java, []string{"-cp", classes}
	case "consul":
		return find(t, "ELASTIC_CONSUL_BIN", server), nil
	default:
		return find(t, "ELASTIC_ETCD_BIN", server), nil
	}
}

// child is a server that runs as a child of this process, with its output in a
// file.
type child struct {
	path string
	args []string
	out  string // file that takes the output of every run

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

func (c *child) Start() error {
	out, err := os.OpenFile(c.out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the child has its own copy
	cmd := exec.Command(c.path, c.args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	c.cmd, c.exited = cmd, exited
	return nil
}

func (c *child) Running() bool {
	if c.cmd == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

func (c *child) Kill() error {
	if c.Running() {
		c.cmd.Process.Kill()
		<-c.exited
	}
	return nil
}

func (c *child) Stop() error {
	const patience = 10 * time.Second
	if !c.Running() {
		return nil
	}
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("has not ended %v after SIGTERM: killed", patience), c.Kill())
	}
}

func (*child) Isolate() error { return ErrNoIsolation }
func (*child) Rejoin() error  { return ErrNoIsolation }

func (c *child) signal(s os.Signal) error {
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v: %w", s, err)
	}
	return nil
}

// Output returns the last lines of the output.
func (c *child) Output() string {
	const lines = 40
	text, err := os.ReadFile(c.out)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
