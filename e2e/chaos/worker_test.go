package chaos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/internal/checker"
)

// place is where a worker runs: it has a name, a clock and a way to the store, and one process after the other.
type place struct {
	fleet   *fleet
	name    string
	url     string           // of the store, through the proxies
	proxies []*servers.Proxy // one to each server; none if there is no server
	clock   string           // file that says by how much its clock is wrong
	log     string           // file that takes what its processes say
	*worker                  // the last process
}

// worker is one process.
type worker struct {
	fleet   *fleet
	place   *place
	name    string
	cmd     *exec.Cmd
	started time.Time
	exited  chan struct{} // closed when it has ended
	ordered bool          // it was to end; the fleet's mutex guards it
	asked   bool          // it was asked to leave
}

// place adds a place to the fleet, without a process.
func (f *fleet) place(name string) *place {
	f.t.Helper()
	p := &place{fleet: f, name: name, clock: filepath.Join(f.dir, name+".clock"), log: filepath.Join(f.dir, name+".log")}
	var addrs []string
	for _, m := range f.members {
		proxy := servers.StartProxy(f.t, m.Addr())
		p.proxies, addrs = append(p.proxies, proxy), append(addrs, proxy.Addr())
	}
	p.url = f.url
	if len(addrs) > 0 {
		p.url = f.kind.url(addrs)
	}
	f.places = append(f.places, p)
	return p
}

// start starts a process there.
func (p *place) start(more ...string) {
	f := p.fleet
	f.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close() // the process has its own copy
	args := slices.Concat(f.args, []string{"-name", p.name, "-store", p.url, "-clock", p.clock}, more)
	w := &worker{fleet: f, place: p, name: p.name, cmd: exec.Command(f.binary, args...), started: time.Now(), exited: make(chan struct{})}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.Env = append(os.Environ(), f.environment...)
	w.cmd.SysProcAttr = dieWithParent()
	if f.command != nil {
		f.command(w.cmd)
	}
	if err := w.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	everyWorker.Store(w.pid(), true)
	p.worker = w
	f.act(w.started, checker.Start, w)
	f.mu.Lock()
	f.workers = append(f.workers, w)
	f.mu.Unlock()
	f.t.Cleanup(func() {
		w.order()
		w.cmd.Process.Kill()
		<-w.exited
	})
	go func() {
		w.cmd.Wait()
		close(w.exited)
		f.mu.Lock()
		defer f.mu.Unlock()
		if !w.ordered {
			f.died = append(f.died, w)
		}
	}()
}

// cameTooEarly says whether a process has ended because the store did not answer for as long as it is waited for at the start. That is
// what it should do; whoever runs it starts it again.
func (w *worker) cameTooEarly() bool {
	return w.cmd.ProcessState.ExitCode() == 1 && time.Since(w.started) < patience && strings.Contains(w.place.tail(), "worker: open store")
}

// order notes that the process is to end.
func (w *worker) order() {
	w.fleet.mu.Lock()
	defer w.fleet.mu.Unlock()
	w.ordered = true
}

func (w *worker) signal(s syscall.Signal) {
	w.fleet.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.fleet.t.Fatalf("signal %v to %s: %v", s, w, err)
	}
}

// kill ends the process without a word, and returns when it is gone.
func (w *worker) kill() {
	w.fleet.t.Helper()
	w.order()
	w.signal(syscall.SIGKILL)
	<-w.exited
	w.fleet.act(time.Now(), checker.Kill, w)
}

// freeze stops the process where it is.
func (w *worker) freeze() {
	w.fleet.t.Helper()
	w.signal(syscall.SIGSTOP)
	w.fleet.act(time.Now(), checker.Stop, w)
}

// wake lets it go on.
func (w *worker) wake() {
	w.fleet.t.Helper()
	w.fleet.act(time.Now(), checker.Cont, w)
	w.signal(syscall.SIGCONT)
}

// ask asks the process to leave, once: a second SIGTERM would end it at once.
func (w *worker) ask() {
	w.fleet.t.Helper()
	if w.asked {
		return
	}
	w.asked = true
	w.order()
	w.fleet.act(time.Now(), checker.Term, w)
	w.signal(syscall.SIGTERM)
}

// left says whether the process that was asked to leave has left, and notes it.
func (w *worker) left() bool {
	if w.running() {
		return false
	}
	w.fleet.act(time.Now(), checker.Exit, w)
	return true
}

// gone waits until the process that was asked to leave has left in good order.
func (w *worker) gone() {
	w.fleet.t.Helper()
	if code := w.code(); code != 0 {
		w.fleet.t.Errorf("%s left with exit code %d, want 0", w, code)
	}
}

// code waits until the process has ended, and returns its exit code.
func (w *worker) code() int {
	w.fleet.t.Helper()
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.fleet.t.Fatalf("%s has not left %v after it was asked to", w, patience)
	}
	w.left()
	return w.cmd.ProcessState.ExitCode()
}

func (w *worker) pid() int { return w.cmd.Process.Pid }

func (w *worker) running() bool {
	select {
	case <-w.exited:
		return false
	default:
		return true
	}
}

func (w *worker) String() string { return fmt.Sprintf("%s (%d)", w.name, w.pid()) }

// cut does something to the way between a place and the store, and notes it.
func (p *place) cut(how func(*servers.Proxy)) {
	for _, proxy := range p.proxies {
		how(proxy)
	}
	p.fleet.act(time.Now(), checker.Cut, p.worker)
}

// heal makes up for it.
func (p *place) heal() {
	for _, proxy := range p.proxies {
		proxy.Heal()
	}
	p.fleet.act(time.Now(), checker.Heal, p.worker)
}

// misset sets the place's clock wrong by so much.
func (p *place) misset(by time.Duration) {
	p.fleet.t.Helper()
	if err := os.WriteFile(p.clock, []byte(by.String()), 0o600); err != nil {
		p.fleet.t.Fatal(err)
	}
}

// tail returns the last lines that the place's processes have written.
func (p *place) tail() string {
	const lines = 30
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// oldest returns the place whose process came first: it leads.
func (f *fleet) oldest() *place {
	return slices.MinFunc(f.places, func(a, b *place) int { return a.started.Compare(b.started) })
}
