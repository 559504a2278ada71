package worker

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// Spawn starts a process that dies with this one, and returns what is closed
// when it has ended. Tests start workers in no other way: other children of
// this process are servers.
func Spawn(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	spawned.Store(cmd.Process.Pid, true)
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	return done, nil
}

// Process is one process of a fleet. Its faults are recorded in the fleet's
// history.
type Process struct {
	Name    string
	Log     string // file that takes what processes of that name say
	Started time.Time

	fleet *Fleet
	cmd   *exec.Cmd
	ended <-chan struct{}
	may   bool // it was to end; the fleet's mutex guards it
	asked bool // it was asked to leave
}

// Start starts a process. Its name can be that of one that has ended. Change,
// if it is not nil, changes how it is started.
func (f *Fleet) Start(name string, args []string, change func(*exec.Cmd)) *Process {
	f.t.Helper()
	p := &Process{
		fleet:   f,
		Name:    name,
		Log:     f.log(name),
		cmd:     exec.Command(f.Binary, args...),
		Started: time.Now(),
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close() // the process has its own copy
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if change != nil {
		change(p.cmd)
	}
	p.ended, err = Spawn(p.cmd)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Act(p.Started, checker.Start, p)
	f.mu.Lock()
	f.processes = append(f.processes, p)
	f.mu.Unlock()
	f.t.Cleanup(func() {
		p.MayEnd()
		p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// MayEnd notes that the process is to end. One that ends without that fails the
// test.
func (p *Process) MayEnd() {
	p.fleet.mu.Lock()
	defer p.fleet.mu.Unlock()
	p.may = true
}

// Signal sends a signal, and notes nothing.
func (p *Process) Signal(s syscall.Signal) {
	p.fleet.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.fleet.t.Fatalf("signal %v to %s: %v", s, p, err)
	}
}

// Kill ends the process by SIGKILL, and returns when it is gone.
func (p *Process) Kill() {
	p.fleet.t.Helper()
	p.MayEnd()
	p.Signal(syscall.SIGKILL)
	<-p.ended
	p.fleet.Act(time.Now(), checker.Kill, p)
}

// Freeze stops the process where it is.
func (p *Process) Freeze() {
	p.fleet.t.Helper()
	p.Signal(signalFreeze)
	p.fleet.Act(time.Now(), checker.Stop, p)
}

// Wake lets it go on.
func (p *Process) Wake() {
	p.fleet.t.Helper()
	p.fleet.Act(time.Now(), checker.Cont, p)
	p.Signal(signalWake)
}

// Ask drains the process by one SIGTERM: a second would end it at once.
func (p *Process) Ask() {
	p.fleet.t.Helper()
	if p.asked {
		return
	}
	p.asked = true
	p.MayEnd()
	p.fleet.Act(time.Now(), checker.Term, p)
	p.Signal(syscall.SIGTERM)
}

// Left reports whether the process that was asked to leave has left, and notes
// it.
func (p *Process) Left() bool {
	if p.Running() {
		return false
	}
	p.fleet.Act(time.Now(), checker.Exit, p)
	return true
}

// Gone waits until the process that was asked to leave has left in good order.
func (p *Process) Gone() {
	p.fleet.t.Helper()
	if code := p.Code(); code != 0 {
		p.fleet.t.Errorf("%s left with exit code %d, want 0", p, code)
	}
}

// Code waits until the process has ended by itself, notes that, and returns its
// exit code.
func (p *Process) Code() int {
	p.fleet.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(p.fleet.leaving):
		p.fleet.t.Fatalf("%s has not left %v after it was asked to", p, p.fleet.leaving)
	}
	p.Left()
	return p.ExitCode()
}

// ExitCode is that of a process that has ended; -1 if a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// PID returns its process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when it has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *Process) String() string { return fmt.Sprintf("%s (%d)", p.Name, p.PID()) }

// Said returns how often a text is in the output of processes of its name.
func (p *Process) Said(what string) int {
	p.fleet.t.Helper()
	text, err := os.ReadFile(p.Log)
	if err != nil {
		p.fleet.t.Fatal(err)
	}
	return strings.Count(string(text), what)
}

// Tail returns the last lines that processes of its name have written.
func (p *Process) Tail() string {
	const lines = 30
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
