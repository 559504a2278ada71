package dev

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// The fleet of the demo: real processes, one of which is killed now and then.
const (
	killEvery    = 45 * time.Second
	restartAfter = 5 * time.Second
)

// Instances are the names of the demo's instances.
var Instances = []string{"web-1", "web-2", "web-3"}

// Fleet starts the demo's instances.
type Fleet struct {
	// Command returns a command that runs an instance until its standard input
	// ends.
	Command func(name string) *exec.Cmd

	Dir  string // gets the logs of the instances
	Tell func(string)

	// Kill and Restart are the times between two kills, and from a kill to the
	// restart. Zero means 45 s and 5 s.
	Kill, Restart time.Duration
}

// Run runs the instances until ctx ends, lets them drain, and returns when all
// have ended.
func (f *Fleet) Run(ctx context.Context) error {
	if f.Kill == 0 {
		f.Kill = killEvery
	}
	if f.Restart == 0 {
		f.Restart = restartAfter
	}
	kills := make([]chan struct{}, len(Instances))
	errs := make([]error, len(Instances))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	for i, name := range Instances {
		kills[i] = make(chan struct{})
		group.Go(func() {
			errs[i] = f.keep(ctx, name, kills[i])
			if errs[i] != nil {
				stop()
			}
		})
	}
	f.killInTurn(ctx, kills)
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// killInTurn asks for the kill of one instance after the other until ctx ends.
func (f *Fleet) killInTurn(ctx context.Context, kills []chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(f.Kill):
		}
		select {
		case <-ctx.Done():
			return
		case kills[i%len(kills)] <- struct{}{}:
		}
	}
}

// keep runs an instance again and again until ctx ends.
func (f *Fleet) keep(ctx context.Context, name string, kill <-chan struct{}) error {
	log, err := os.OpenFile(filepath.Join(f.Dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	for {
		killed, err := f.once(ctx, name, kill, log)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w; see %s", name, err, log.Name())
		case !killed:
			return nil
		}
		f.Tell(fmt.Sprintf("%s was killed with SIGKILL; the others take its shards over", name))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.Restart):
		}
		f.Tell(fmt.Sprintf("%s starts again", name))
	}
}

// once runs an instance until it is killed, or ctx ends and it has drained.
func (f *Fleet) once(ctx context.Context, name string, kill <-chan struct{}, log io.Writer) (killed bool, err error) {
	cmd := f.Command(name)
	cmd.Stdout, cmd.Stderr = log, log
	life, err := cmd.StdinPipe() // ends with this process, however that ends
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if ctx.Err() != nil {
			return false, nil // the terminal's Ctrl-C reached it, too
		}
		if err == nil {
			err = fmt.Errorf("the instance ended")
		}
		return false, err
	case <-kill:
		_ = cmd.Process.Kill()
		<-ended
		return true, nil
	case <-ctx.Done():
		life.Close()
		<-ended
		return false, nil
	}
}
