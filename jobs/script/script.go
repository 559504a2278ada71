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

// What is used where a Script says nothing.
const (
	DefaultGrace     = 10 * time.Second
	DefaultMaxOutput = 64 << 10
)

// tail is how many bytes of the end of its output are in the error of a script that failed. The error is stored with the
// shard's record, so it is short.
const tail = 1 << 10

// Script says what is run, and how. It is printed without its environment and its
// arguments.
type Script struct {
	// Path is the program: a name that is looked up in PATH when New is called, or a path; a relative one counts from the
	// working directory of this process.
	Path string

	// Args are its arguments, without the program itself.
	Args []string

	// Dir is the directory in which it runs. Empty means that of this process.
	Dir string

	// Env is its environment, as "name=value", beside what is passed about the run. Nil means that of this process at the time of New
	// without the URL and the credentials of the store: see Environ. Names that begin with ELASTICJOB_ are removed.
	Env []string

	// AddEnv are variables, as "name=value", that are added to Env, or to the
	// environment of this process if Env is nil. They win over those of the same
	// name. Names that begin with ELASTICJOB_ are removed.
	AddEnv []string

	// Grace is how long the script, and what it has started, gets to end after it was asked to by SIGTERM, before SIGKILL. It is
	// also how long what it leaves running in the background may keep its output open. Zero means DefaultGrace.
	//
	// When an instance leaves, handlers have three seconds to return once the drain timeout has passed. A longer grace than that keeps its
	// promise to the script, but the run then counts as one of an instance that died.
	Grace time.Duration

	// Output gets what the script writes to standard output and standard error, line by line as it comes, without line ends; a line of more
	// than 4 KiB comes in pieces, and what is not UTF-8 is replaced. Nil means that nobody wants it. The script is held up
	// while Output does not return. It is called from many goroutines at once, for one run never twice at a time. See Log.
	Output func(run elastic.Run, line string)

	// MaxOutput is how many bytes of one run are given to Output at most; of what comes after it only the end is kept, for the error,
	// and a last line says how much it was. Zero means DefaultMaxOutput.
	MaxOutput int
}

// String returns the program. Arguments and environment may hold secrets.
func (s Script) String() string { return "script " + s.Path }

// Format prints what String returns, whatever the verb.
func (s Script) Format(f fmt.State, verb rune) { secret.Format(f, verb, s.String()) }

// MarshalText returns what String returns, for JSON and the like.
func (s Script) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String returns, for package slog.
func (s Script) LogValue() slog.Value { return slog.StringValue(s.String()) }

// New returns a handler that runs the script once for each shard and fire. It is an error if it can't be started: the program does
// not exist or is not executable, or its directory is not there. All faults are in one error.
//
// The handler returns an error if the script ends with another exit code than 0; it wraps an [exec.ExitError], and ends with the last of
// what the script wrote. When its context ends the script is asked to end by SIGTERM, and killed if it does not within the
// grace; both go to its whole process group. A process that has left the group, by setsid or a shell's set -m, goes on. It then returns the context's cause, even if the script ended with 0: many programs do when they
// are asked to end, and that doesn't mean that their work is done.
//
// A run whose parameters have a zero byte fails without a retry.
//
// Where this process is the first of a container, or has asked for orphans by prctl(2), it waits for what scripts leave behind in their
// process groups, so that no zombies are left. Other children of the program are not touched.
//
// If this process is killed, Linux kills the script with it, though not what the script has started; elsewhere it goes on. On
// Windows there is no asking: the process is ended at once, and what it has started goes on.
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

// Validate returns all faults of s in one error, but for those that depend on
// the machine: [New] also checks that the program and the directory exist.
func (s Script) Validate() error {
	var list faults.List
	s.check(&list)
	return list.ErrOf("script is not valid")
}

// check adds the faults that do not depend on the machine.
func (s Script) check(list *faults.List) {
	if s.Path == "" {
		list.AddField("path", "%q can't be started: it is empty: give the name of a program in PATH, or a path", s.Path)
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

// executable returns the absolute path of a program, so that a later change of the working directory changes nothing.
func executable(path string) (string, error) {
	found, err := exec.LookPath(path)
	if e := (*exec.Error)(nil); errors.As(err, &e) {
		err = e.Err // the rest of it says the name again
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: install it, or give its path", err)
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("%w: it is not executable", err)
	case err != nil:
		return "", err
	}
	return filepath.Abs(found)
}

// variables returns what a script is told about its run.
func variables(run elastic.Run) []string {
	told := map[string]string{
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
	env := make([]string, 0, len(told))
	for _, name := range slices.Sorted(maps.Keys(told)) {
		env = append(env, prefix+name+"="+told[name])
	}
	return env
}

type handler struct {
	Script
	path     string
	inherits bool // the environment of this process
}

// Handle runs the script for one shard.
func (h *handler) Handle(ctx context.Context, run elastic.Run) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if strings.ContainsRune(run.Parameter+run.JobParameter, 0) { // the parameters are the same the next time
		return elastic.Permanent(fmt.Errorf("script %s: a parameter has a zero byte, which no environment variable can have; change the parameter", h.path))
	}
	out := &output{shard: run, to: h.Output, left: h.MaxOutput}
	err := h.run(ctx, run, out)
	last, fault := out.end()
	switch {
	case err == nil && fault == nil:
		return nil
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("script %s was ended: %w", h.path, context.Cause(ctx))
	}
	err = fmt.Errorf("script %s: %w", h.path, errors.Join(err, fault))
	if last != "" {
		return fmt.Errorf("%w; its output ends with: %s", err, last)
	}
	return err
}
