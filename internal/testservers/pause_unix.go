//go:build unix

package testservers

import "syscall"

// Pause freezes the process: it keeps its connections and answers nothing.
func (c *child) Pause() error {
	err := c.signal(syscall.SIGSTOP)
	awaitStopped(c.cmd.Process.Pid)
	return err
}

// Resume lets a frozen process go on.
func (c *child) Resume() error { return c.signal(syscall.SIGCONT) }
