package script

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/secret"
)

// The defaults for zero fields of Script.
const (
	DefaultGrace     = 10 * time.Second
	DefaultMaxOutput = 64 << 10
)

// tail is the number of bytes of the end of the output that the error of a
// failed script has. The error is stored in the shard's record, so it is short.
const tail = 1 << 10

// Script is the configuration of a script. Printed, logged or encoded it shows
// its path only, because arguments and environment can be secret.
type Script struct {
	// Path is the program: a name, which New looks up in PATH, or a path. A
	// relative path is resolved against the working directory of this process.
	Path string

	// Args are the arguments, without the program itself.
	Args []string

	// Dir is the working directory. Empty means that of this process.
	Dir string

	// Env is the environment, as "name=value", beside the variables that
	// describe the run. Nil means the environment of this process at the time
	// of New, without the URL and the credentials of the store; see Environ.
	// Names that begin with ELASTICJOB_ are removed.
	Env []string

	// AddEnv are variables, as "name=value", that are added to Env, or to the
	// environment of this process if Env is nil. They replace variables of the
	// same name. Names that begin with ELASTICJOB_ are removed.
	AddEnv []string

	// Variables returns more variables of a run, as "name=value", such as a
	// TRACEPARENT; see observe/otel. ctx is the context of the run. They
	// replace variables of the same name. Those of another form, and names that
	// begin with ELASTICJOB_, are left out. Nil means none.
	Variables func(ctx context.Context) []string

	// Grace is the time between SIGTERM and SIGKILL when a run must end, for
	// the script and the processes it started. It is also how long processes in
	// the background may keep the output open after the script has ended. Zero
	// means DefaultGrace.
	//
	// When an instance leaves, handlers have three seconds to return after the
	// drain timeout. With a longer grace the script still gets its time, but
	// another instance repeats the run, as if this one had died.
	Grace time.Duration

	// Output receives the lines that the script writes to standard output and
	// standard error, without line ends. A line of more than 4 KiB comes in
	// pieces, and bytes that are not UTF-8 are replaced. Nil discards the
	// output, but for the log of the run; see elastic.Output.
	//
	// The script blocks while Output does not return. Output is called from
	// many goroutines at once, but never twice at a time for one run. See Log.
	Output func(run elastic.Run, line string)

	// MaxOutput is the number of bytes of one run that Output receives. Of the
	// rest only the end is kept, for the error, and a last line has the number
	// of bytes left out. Zero means DefaultMaxOutput.
	MaxOutput int
}

// String returns the program without arguments and environment.
func (s Script) String() string { return "script " + s.Path }

// Format prints what String returns, whatever the verb.
func (s Script) Format(f fmt.State, verb rune) { secret.Format(f, verb, s.String()) }

// MarshalText returns what String returns, for JSON and the like.
func (s Script) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String returns, for package slog.
func (s Script) LogValue() slog.Value { return slog.StringValue(s.String()) }

// New returns a handler that runs the script once for each run of a shard. All
// faults are in one error. It is an error if the program does not exist or is
// not executable, or if the directory does not exist.
//
// The handler returns an error if the exit code is not 0. The error wraps an
// [exec.ExitError], and ends with the last KiB of the output. A run with a zero
// byte in a parameter fails without a retry.
//
// When its context ends, the handler sends SIGTERM to the process group of the
// script, and SIGKILL after the grace. A process that has left the group, by
// setsid or a shell's set -m, continues. The handler returns the context's
// cause even if the script ended with 0: many programs do that when they are
// asked to end, though their work is unfinished.
//
// If this process is the first of a container, or has asked for orphans by
// prctl(2), it waits for the processes that scripts leave in their process
// groups, so that no zombies are left. Other children of the program are not
// affected.
//
// If this process is killed, Linux kills the script too, but not the processes
// that the script has started. On other systems the script continues. On
// Windows there is no SIGTERM: the process is killed at once, and the processes
// it started continue.
func New(s Script) (elastic.Handler, error) {
	var list faults.List
	path := s.Path
	if path != "" {
		found, err := executable(path)
		if err != nil {
			list.AddField("path", "%q can't be started: %w", path, err)
		}
		path = found
	}
	if s.Dir != "" {
		if info, err := os.Stat(s.Dir); err != nil {
			list.AddField("dir", "%w", err)
		} else if !info.IsDir() {
			list.AddField("dir", "%q is not a directory", s.Dir)
		}
	}
	s.check(&list)
	if err := list.ErrOf("script is not valid"); err != nil {
		return nil, err
	}
	h := &handler{Script: s, path: path, inherits: s.Env == nil}
	h.Args = slices.Clone(s.Args)
	h.Env = environment(s.Env)
	h.AddEnv = withoutRun(s.AddEnv)
	if h.Grace == 0 {
		h.Grace = DefaultGrace
	}
	if h.MaxOutput == 0 {
		h.MaxOutput = DefaultMaxOutput
	}
	return h, nil
}

// Validate returns all faults of s in one error, except those that depend on
// the machine: [New] also checks that the program and the directory exist.
func (s Script) Validate() error {
	var list faults.List
	s.check(&list)
	return list.ErrOf("script is not valid")
}

// check adds the faults that do not depend on the machine.
func (s Script) check(list *faults.List) {
	if s.Path == "" {
		list.AddField("path", "is empty; give the name of a program in PATH, or a path")
	}
	if strings.ContainsRune(strings.Join(s.Args, ""), 0) {
		list.AddField("args", "must not hold a zero byte")
	}
	if err := checkEnvironment(s.Env); err != nil {
		list.AddField("env", "%w", err)
	}
	if err := checkEnvironment(s.AddEnv); err != nil {
		list.AddField("add env", "%w", err)
	}
	if s.Grace < 0 {
		list.AddField("grace", "must not be negative, is %s", s.Grace)
	}
	if s.MaxOutput < 0 {
		list.AddField("max output", "must not be negative, is %d", s.MaxOutput)
	}
}

// executable returns the absolute path of a program, so that a later change of
// the working directory has no effect.
func executable(path string) (string, error) {
	found, err := exec.LookPath(path)
	if e := (*exec.Error)(nil); errors.As(err, &e) {
		err = e.Err // the rest of it says the name again
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w; install it, or give its path", err)
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("%w; make it executable", err)
	case err != nil:
		return "", err
	}
	return filepath.Abs(found)
}

// variables returns the variables that describe a run.
func variables(run elastic.Run) []string {
	values := map[string]string{
		"JOB":           run.Job,
		"SHARD":         strconv.Itoa(run.Shard),
		"TOTAL":         strconv.Itoa(run.Shards),
		"PARAMETER":     run.Parameter,
		"JOB_PARAMETER": run.JobParameter,
		"FIRE":          run.Fire.Format(time.RFC3339),
		"TRIGGER":       strconv.FormatUint(run.Trigger, 10),
		"ATTEMPT":       strconv.Itoa(run.Attempt),
		"PREVIOUS":      run.Previous,
		"FENCE":         strconv.FormatUint(run.Fence(), 10),
		"KEY":           run.Key(),
	}
	env := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, prefix+name+"="+values[name])
	}
	return env
}

type handler struct {
	Script
	path     string
	inherits bool // Env is that of this process
}

// Handle runs the script for one run of a shard.
func (h *handler) Handle(ctx context.Context, run elastic.Run) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if strings.ContainsRune(run.Parameter+run.JobParameter, 0) {
		err := fmt.Errorf("script %s: a parameter has a zero byte, which no environment variable can have; "+
			"change the parameter",
			h.path)
		return elastic.Permanent(err) // a retry has the same parameters
	}
	out := &output{run: run, to: h.Output, left: h.MaxOutput, log: elastic.Output(ctx)}
	err := h.run(ctx, run, out)
	last, fault := out.end()
	switch {
	case err == nil && fault == nil:
		return nil
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("script %s was stopped: %w", h.path, context.Cause(ctx))
	}
	err = fmt.Errorf("script %s: %w", h.path, errors.Join(err, fault))
	if last != "" {
		return fmt.Errorf("%w; its output ends with: %s", err, last)
	}
	return err
}
