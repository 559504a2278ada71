package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp"
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
	exitChanged     = 4
	exitRefused     = 5
	exitUnreachable = 6
	exitNotAllowed  = 7
	exitUnknown     = 8
	exitWaited      = 9
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

// run executes a command line and returns the exit code. What was asked for
// goes to stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return execute(ctx, newApp(stdout), args, stdout, stderr)
}

// execute is run with an app that is given.
func execute(ctx context.Context, a *app, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "elasticctl",
		Short:         "Look after scheduled jobs",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newElasticJob())
	a.commands(root)
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
	}
	return codeOf(err)
}

// codeOf returns the exit code of an error.
func codeOf(err error) int {
	for _, row := range codes {
		if errors.Is(err, row.cause) {
			return row.code
		}
	}
	return exitFailed
}

// codes are the exit codes of errors. The first that fits counts.
var codes = []struct {
	cause error
	code  int
}{
	{store.ErrUnknown, exitUnknown},
	{admin.ErrNotFound, exitNotFound},
	{admin.ErrChanged, exitChanged},
	{admin.ErrInvalid, exitRefused},
	{admin.ErrUnreadable, exitRefused},
	{admin.ErrExists, exitRefused},
	{admin.ErrRemoved, exitRefused},
	{admin.ErrDisabled, exitRefused},
	{admin.ErrUnclaimed, exitRefused},
	{admin.ErrBroadcast, exitRefused},
	{admin.ErrBusy, exitRefused},
	{admin.ErrClock, exitRefused},
	{admin.ErrRefused, exitRefused},
	{store.ErrTooLarge, exitRefused},
	{store.ErrInvalid, exitUsage},
	{store.ErrPermission, exitNotAllowed},
	{adminhttp.ErrForbidden, exitNotAllowed},
	{store.ErrUnavailable, exitUnreachable},
	{context.DeadlineExceeded, exitUnreachable},
}
