package script

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
)

// slack is between the kill of the group and the moment at which its output is given up.
const slack = time.Second

// run starts the script and waits for its end. When ctx ends it sees to it that nothing of the script's process group is left.
func (h *handler) run(ctx context.Context, run elastic.Run, out *output) error {
	// A thread of its own for as long as the script runs: where the script dies with its parent, the parent is the thread that
	// started it, and Go ends threads to which a goroutine was locked when it ended. See golang.org/issue/27505.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, h.path, h.Args...)
	cmd.Dir = h.Dir
	cmd.Env = append(h.environ(), variables(run)...)
	cmd.Stdout, cmd.Stderr = out, out // one pipe for both, so that lines keep their order
	cmd.SysProcAttr = inGroup()
	cmd.Cancel = func() error { return ask(cmd.Process) }
	// exec counts it from the end of ctx or of the process, whichever comes first, and then gives up the output.
	cmd.WaitDelay = h.Grace + slack
	if err := cmd.Start(); err != nil {
		return err
	}
	// After Wait, or it would take the script's own exit code.
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
		return fmt.Errorf("it ended, but for %s something that it left running kept its output open, and was killed, or Output did not return: %w", cmd.WaitDelay, err)
	}
	if ctx.Err() != nil {
		kill(cmd.Process) // whatever outlived the script itself
	}
	return err
}
