package script

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
)

// slack is the time between the kill of the group and the moment at which its
// output is given up.
const slack = time.Second

// run starts the script and waits until it has ended. When ctx ends, no process
// of the script's group is left when run returns.
func (h *handler) run(ctx context.Context, run elastic.Run, out *output) error {
	// The script needs a thread of its own. On Linux it dies with its parent,
	// which is the thread that started it, and Go ends threads to which a
	// goroutine was locked when it returned. See golang.org/issue/27505.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, h.path, h.Args...)
	cmd.Dir = h.Dir
	cmd.Env = slices.Concat(h.environ(), h.more(ctx), variables(run))
	// One pipe for both keeps the order of lines.
	cmd.Stdout = out
	cmd.Stderr = out
	cmd.SysProcAttr = inGroup()
	cmd.Cancel = func() error { return ask(cmd.Process) }
	// exec counts it from the end of ctx or of the process, whichever comes
	// first, and then gives up the output.
	cmd.WaitDelay = h.Grace + slack
	if err := cmd.Start(); err != nil {
		return err
	}
	// After Wait, otherwise it would take the exit code of the script.
	defer func() { reap(cmd.Process.Pid) }()

	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		grace := time.NewTimer(h.Grace)
		defer grace.Stop()
		select {
		case <-ended:
		case <-grace.C:
			kill(cmd.Process)
		}
	})
	err := cmd.Wait()
	close(ended)
	watch.Wait()
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		kill(cmd.Process)
		return fmt.Errorf("it ended, but for %s a process that it left kept its output open and was killed, "+
			"or Output did not return: %w",
			cmd.WaitDelay, err)
	}
	if ctx.Err() != nil {
		kill(cmd.Process) // processes that outlived the script
	}
	return err
}
