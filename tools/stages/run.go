package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// logDir is where the output of each stage is kept.
const logDir = ".bin/stages"

// outcome is the result of one stage.
type outcome struct {
	stage  string
	took   time.Duration
	counts counts
	err    error
	not    string // why the stage was not run; empty: it was
}

// notRun collects the values of the flag -not.
type notRun []string

func (n *notRun) String() string { return strings.Join(*n, "; ") }

func (n *notRun) Set(s string) error {
	if !strings.Contains(s, ": ") {
		return fmt.Errorf("-not %q: want NAME: REASON", s)
	}
	*n = append(*n, s)
	return nil
}

// runStages runs the stages that the arguments name and prints the table.
func runStages(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("stages", flag.ContinueOnError)
	from := flags.String("from", "", "start with this stage")
	var not notRun
	flags.Var(&not, "not", "NAME: REASON, for the table: what is not run, and why")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stages := flags.Args()
	if len(stages) == 0 {
		return errors.New("no stage is named")
	}
	first := 0
	if *from != "" {
		if first = slices.Index(stages, *from); first < 0 {
			return fmt.Errorf("-from %s: there are the stages %s", *from, strings.Join(stages, ", "))
		}
	}
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return fmt.Errorf("make a directory for logs: %w", err)
	}
	outcomes := make([]outcome, 0, len(stages)+len(not))
	var failed error
	for i, stage := range stages {
		o := outcome{stage: stage}
		switch {
		case i < first:
			o.not = "-from " + *from + ": not run this time"
		case failed != nil:
			o.not = "an earlier stage failed"
		default:
			o = runStage(stage, out)
			failed = o.err
		}
		outcomes = append(outcomes, o)
	}
	for _, n := range not {
		name, reason, _ := strings.Cut(n, ": ")
		outcomes = append(outcomes, outcome{stage: name, not: reason})
	}
	printTable(out, outcomes)
	if failed == nil {
		return nil
	}
	for _, o := range outcomes {
		if o.err != nil {
			fmt.Fprintf(out, "\n%s\n", strings.Join(failingLines(logFile(o.stage)), "\n"))
			return fmt.Errorf("stage %s failed: %w; its output is in %s; start again there with FROM=%s", o.stage, o.err, logFile(o.stage), o.stage)
		}
	}
	return failed
}

func logFile(stage string) string { return filepath.Join(logDir, stage+".log") }

// runStage runs one make target; what it prints goes to out and to its log.
func runStage(stage string, out io.Writer) outcome {
	began := time.Now()
	o := outcome{stage: stage}
	log, err := os.Create(logFile(stage))
	if err != nil {
		o.err = fmt.Errorf("create the log: %w", err)
		return o
	}
	defer log.Close()
	fmt.Fprintf(out, "=== stage %s\n", stage)
	cmd := exec.Command("make", "--no-print-directory", stage)
	counted := &counter{}
	cmd.Stdout = io.MultiWriter(out, log, counted)
	cmd.Stderr = cmd.Stdout
	o.err = cmd.Run()
	counted.flush()
	o.took, o.counts = time.Since(began), counted.counts
	return o
}

// printTable prints a line a stage.
func printTable(out io.Writer, outcomes []outcome) {
	fmt.Fprintf(out, "\n%-14s %9s %7s %8s %8s  %s\n", "stage", "time", "tests", "failed", "skipped", "")
	for _, o := range outcomes {
		switch {
		case o.not != "":
			fmt.Fprintf(out, "%-14s %9s %7s %8s %8s  not run: %s\n", o.stage, "-", "-", "-", "-", o.not)
		case o.err != nil:
			fmt.Fprintf(out, "%-14s %9s %7d %8d %8d  FAILED\n", o.stage, o.took.Round(time.Second), o.counts.passed, o.counts.failed, o.counts.skipped)
		default:
			fmt.Fprintf(out, "%-14s %9s %7d %8d %8d  ok\n", o.stage, o.took.Round(time.Second), o.counts.passed, o.counts.failed, o.counts.skipped)
		}
	}
}

// mostLines bounds what is repeated of a failing stage.
const mostLines = 60

// failingLines returns the end of a stage's output, from the first failing test
// on, in at most mostLines lines.
func failingLines(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	first := slices.IndexFunc(lines, func(line string) bool {
		line = strings.TrimLeft(line, " ")
		return strings.HasPrefix(line, "--- FAIL") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "WARNING: DATA RACE")
	})
	if first < 0 {
		return lines[max(0, len(lines)-mostLines):]
	}
	lines = lines[first:]
	if len(lines) <= mostLines {
		return lines
	}
	half := mostLines / 2
	cut := fmt.Sprintf("… %d lines left out …", len(lines)-mostLines+1)
	return slices.Concat(lines[:half], []string{cut}, lines[len(lines)-half+1:])
}
