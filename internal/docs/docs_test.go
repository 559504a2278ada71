// Package docs tests the Markdown pages of this repository.
package docs

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// pages returns the paths of all Markdown pages, relative to the root.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".md") {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("got %d pages, want at least 20: %q", len(found), found)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	code  = regexp.MustCompile("`[^`\n]*`")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// Every relative link names a file that exists, and every fragment a heading.
func TestLinks_Resolve(t *testing.T) {
	links := 0
	for _, page := range pages(t) {
		text := code.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			path, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s: link %s: no such file", page, m[1])
				continue
			}
			if fragment != "" && !info.IsDir() && !hasHeading(read(t, target), fragment) {
				t.Errorf("%s: link %s: no such heading", page, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("got %d links, want at least 50: the pattern finds too few", links)
	}
}

// hasHeading reports whether a page has a heading with that anchor, as GitHub
// builds anchors.
func hasHeading(text, anchor string) bool {
	drop := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	for _, m := range title.FindAllStringSubmatch(text, -1) {
		heading := drop.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(heading, " ", "-") == anchor {
			return true
		}
	}
	return false
}

var program = regexp.MustCompile("(?ms)^```go\n(package main\n.*?)^```$")

// programs returns the complete Go programs of a page.
func programs(t *testing.T, page string) []string {
	t.Helper()
	var found []string
	for _, m := range program.FindAllStringSubmatch(read(t, filepath.Join(root, page)), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no program", page)
	}
	return found
}

// build compiles a program in a module of its own, as a user would.
func build(t *testing.T, source string) (binary string) {
	t.Helper()
	dir := emptyModule(t, "example.com/hello")
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "hello")
	goCommand(t, dir, "build", "-o", binary, ".")
	return binary
}

// The Go files of a page, put into one empty module, pass go vet.
func TestFiles_Compile(t *testing.T) {
	goFiles(t, "docs/guide/store-driver.md", "example.com/mystore", "vet", ".")
}

// The test on the page about testing passes.
func TestFiles_TestPasses(t *testing.T) {
	goFiles(t, "docs/guide/testing.md", "example.com/hello", "test", ".")
}

var (
	goFile   = regexp.MustCompile("(?ms)^```go\n((?://[^\n]*\n)*package \\w+\n.*?)^```$")
	fileName = regexp.MustCompile("`(\\w+\\.go)`")
)

// goFiles writes the Go files of a page into a module and runs the go command
// there. Each file gets the last file name in backquotes before it.
func goFiles(t *testing.T, page, module string, args ...string) {
	t.Helper()
	text := read(t, filepath.Join(root, page))
	dir := emptyModule(t, module)
	found := goFile.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 {
		t.Fatalf("%s has no Go file", page)
	}
	for _, at := range found {
		names := fileName.FindAllStringSubmatch(text[:at[0]], -1)
		if len(names) == 0 {
			t.Fatalf("%s: a Go file has no name in the text before it", page)
		}
		name := names[len(names)-1][1]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text[at[2]:at[3]]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	goCommand(t, dir, args...)
}

// emptyModule returns the directory of a new module that uses this checkout in
// place of the published modules.
func emptyModule(t *testing.T, module string) string {
	t.Helper()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const path = "github.com/elasticjob-go/elastic"
	mod := "module " + module + "\n\ngo 1.26\n\n" +
		"require (\n" +
		"\t" + path + " v0.0.0\n" +
		"\t" + path + "/conformance v0.0.0\n" +
		"\tgithub.com/anishathalye/porcupine v1.3.1 // indirect\n" +
		")\n\n" +
		"replace (\n" +
		"\t" + path + " => " + checkout + "\n" +
		"\t" + path + "/conformance => " + checkout + "/conformance\n" +
		")\n"
	sum := read(t, filepath.Join(root, "go.sum")) +
		read(t, filepath.Join(root, "conformance/go.sum"))
	for name, text := range map[string]string{"go.mod": mod, "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// goCommand runs the go command in a module outside the workspace.
func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The programs of README and Getting started build in an empty module, run all
// three shards, and end in good order at the first Ctrl-C.
func TestPrograms_RunAndStop(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("os.Interrupt can't be sent to a process on Windows")
	}
	for _, page := range []string{"README.md", "docs/guide/getting-started.md"} {
		for _, source := range programs(t, page) {
			t.Run(page, func(t *testing.T) {
				t.Parallel()
				runAndStop(t, build(t, source))
			})
		}
	}
}

func runAndStop(t *testing.T, binary string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := &output{want: 3, seen: make(chan struct{})}
	cmd := exec.CommandContext(ctx, binary)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-out.seen:
	case <-ctx.Done():
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("interrupt: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v after Ctrl-C, want exit code 0", err)
	}
	for _, want := range []string{"shard=0", "shard=1", "shard=2", "joined", "left"} {
		if !strings.Contains(out.text.String(), want) {
			t.Errorf("got no %q in the output:\n%s", want, &out.text)
		}
	}
}

// output collects what a program prints, and closes seen at the third line of
// a handler. Package exec writes it from one goroutine.
type output struct {
	text bytes.Buffer
	want int
	seen chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	before := strings.Count(o.text.String(), " working ")
	o.text.Write(p)
	if after := strings.Count(o.text.String(), " working "); before < o.want && after >= o.want {
		close(o.seen)
	}
	return len(p), nil
}
