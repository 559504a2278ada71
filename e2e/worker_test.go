package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "elastic-e2e-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "worker")
	args := append([]string{"build", "-o", binary}, raceFlag...)
	cmd := exec.Command("go", append(args, "./worker")...)
	cmd.Dir = "../examples"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the worker: %w\n%s", err, out)
	}
	return binary, nil
})

// Fleets wait most of the time, so more of them can run than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set("6")
	}
	code := m.Run()
	if binary, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// worker is one process.
type worker struct {
	fleet   *fleet
	name    string
	cmd     *exec.Cmd
	log     string        // file that takes what it says
	exited  chan struct{} // closed when it has ended
	ordered bool          // it was to end; the fleet's mutex guards it
}

// start starts a process. Its name can be that of one that has ended.
func (f *fleet) start(name string) *worker {
	f.t.Helper()
	return f.startOn(name, f.url)
}

// startOn starts a process that reaches the store by a URL of its own.
func (f *fleet) startOn(name, url string) *worker {
	f.t.Helper()
	w := &worker{fleet: f, name: name, log: filepath.Join(f.dir, name+".log"), exited: make(chan struct{})}
	log, err := os.OpenFile(w.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close() // the process has its own copy
	w.cmd = exec.Command(f.binary, append(f.args, "-name", name, "-store", url)...)
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = dieWithParent()
	at := time.Now()
	if err := w.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.act(at, checker.Start, w)
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
	return w
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

// ask asks the process to leave.
func (w *worker) ask() {
	w.fleet.t.Helper()
	w.order()
	w.fleet.act(time.Now(), checker.Term, w)
	w.signal(syscall.SIGTERM)
}

// gone waits until the process that was asked to leave has left in good order.
func (w *worker) gone() {
	w.fleet.t.Helper()
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.fleet.fatalf("%s has not left %v after it was asked to", w, patience)
	}
	w.fleet.act(time.Now(), checker.Exit, w)
	if code := w.cmd.ProcessState.ExitCode(); code != 0 {
		w.fleet.fatalf("%s left with exit code %d, want 0", w, code)
	}
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

// tail returns the last lines that a process of this name has written.
func (w *worker) tail() string {
	const lines = 30
	text, err := os.ReadFile(w.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
