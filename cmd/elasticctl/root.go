package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/all" // every scheme
	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitRefused     = 5
	exitUnreachable = 6
	exitNotAllowed  = 7
	exitUnknown     = 8
	exitFindings    = 10
	exitInterrupted = 130
)

// exitError is an error with an exit code of its own. Without a cause, the
// command has said everything.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return ""
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// usage is an error of what was typed.
func usage(format string, a ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, a...)}
}

// group is a command that only has others below it.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("unknown command %.40q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return cmd.Help()
}

// run executes a command line and returns the exit code. What was asked for goes
// to stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "elasticctl",
		Short:         "Look after scheduled jobs",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newElasticJob())
	newApp(stdout).commands(root)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	began := false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "elasticctl:", text)
	}
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case !began: // an unknown command or flag
		return exitUsage
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, store.ErrInvalid):
		return exitUsage
	case errors.Is(err, admin.ErrNotFound):
		return exitNotFound
	case errors.Is(err, admin.ErrInvalid), errors.Is(err, admin.ErrUnreadable):
		return exitRefused
	case errors.Is(err, store.ErrPermission):
		return exitNotAllowed
	case errors.Is(err, store.ErrUnknown):
		return exitUnknown
	case errors.Is(err, store.ErrUnavailable):
		return exitUnreachable
	}
	return exitFailed
}
