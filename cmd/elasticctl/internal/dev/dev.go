// Package dev runs a store for development: an embedded etcd on this machine
// whose data is kept.
package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Config configures Start.
type Config struct {
	// Dir keeps the data. Empty means a new directory that Close removes.
	Dir string

	// Port is the port on 127.0.0.1. 0 means that of the last time, else 2379,
	// or the next that is free.
	Port int
}

// Server is a running store. Make it with [Start].
type Server struct {
	State
	dir       string
	temporary bool
	lock      *flock.Flock
	stop      func()
	failed    <-chan error
}

// ErrRunning says that another process runs the store of a directory. The
// State that Start returns beside it is that process's.
var ErrRunning = errors.New("it runs already")

// Start starts the store and returns when it answers. If another process has
// started it in the same directory, Start returns a Server with its State and
// ErrRunning; that Server must not be closed.
func Start(ctx context.Context, c Config) (*Server, error) {
	s := &Server{dir: c.Dir}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "elasticctl-dev-")
		if err != nil {
			return nil, fmt.Errorf("make a directory for the data: %w", err)
		}
		s.dir, s.temporary = dir, true
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for the data: %w", err)
	}
	s.lock = flock.New(filepath.Join(s.dir, "lock"))
	mine, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.dir, err)
	}
	if !mine {
		return s.other(ctx)
	}
	if err := s.start(ctx, c.Port); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// patience bounds how long the start of another process is waited for.
const patience = 10 * time.Second

// other reads the state of the process that has the lock, which may still be
// starting.
func (s *Server) other(ctx context.Context) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		state, err := readState(s.dir)
		if err == nil && answers(ctx, state.Address) {
			s.State = state
			return s, ErrRunning
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another process has the lock of %s and its store does not answer; "+
				"end that process, or use another --dir", s.dir)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Failed receives an error if the store ends by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Dir is the directory with the data.
func (s *Server) Dir() string { return s.dir }

// Close ends the store. A temporary directory is removed.
func (s *Server) Close() error {
	s.stop()
	return s.release()
}

// release gives the directory up.
func (s *Server) release() error {
	err := s.lock.Unlock()
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
