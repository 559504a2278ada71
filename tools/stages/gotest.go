package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string // of build output
}

// goTest runs go test with the given arguments and prints what matters of it.
func goTest(args []string, out io.Writer) error {
	cmd := exec.Command("go", slices.Concat([]string{"test", "-json"}, args)...)
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	p := printer{out: out, verbose: slices.Contains(args, "-v"), output: map[string][]string{}}
	in := bufio.NewReader(lines)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			p.line(line)
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	fmt.Fprintf(out, testsLine+"\n", p.counts.passed, p.counts.failed, p.counts.skipped)
	if err != nil {
		return fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// printer prints events: a line a package, with verbose a line a test, and the
// output of tests that failed.
type printer struct {
	out     io.Writer
	verbose bool
	counts  counts
	output  map[string][]string // of tests that have not ended, by package and test
}

// line prints one line of `go test -json`.
func (p *printer) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(p.out, "%s", line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(p.out, e.Output)
	case "output":
		p.take(key, e)
	case "pass", "fail", "skip":
		p.ended(key, e)
	}
}

// take keeps or prints a line of output.
func (p *printer) take(key string, e event) {
	text := strings.TrimLeft(e.Output, " ")
	if strings.HasPrefix(text, "=== ") {
		return
	}
	if e.Test == "" {
		// A line about the whole package, but not its bare verdict.
		if text != "PASS\n" && text != "FAIL\n" {
			fmt.Fprint(p.out, e.Output)
		}
		return
	}
	if p.verbose {
		fmt.Fprint(p.out, e.Output)
		return
	}
	p.output[key] = append(p.output[key], e.Output)
}

// ended counts a test, and prints its output if it failed.
func (p *printer) ended(key string, e event) {
	if e.Test == "" {
		return
	}
	switch e.Action {
	case "pass":
		p.counts.passed++
	case "skip":
		p.counts.skipped++
		p.print(key) // a skipped test says why
	case "fail":
		p.counts.failed++
		p.print(key)
	}
	delete(p.output, key)
}

// print prints what a test printed, its verdict first.
func (p *printer) print(key string) {
	lines := p.output[key]
	verdict := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(strings.TrimLeft(line, " "), "--- ")
	})
	if verdict >= 0 {
		fmt.Fprint(p.out, lines[verdict])
	}
	for i, line := range lines {
		if i != verdict {
			fmt.Fprint(p.out, line)
		}
	}
}
