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

// build compiles a program in a module of its own, as a user would, with this
// checkout in place of the published module.
func build(t *testing.T, source string) (binary string) {
	t.Helper()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod := "module example.com/hello\n\ngo 1.26\n\n" +
		"require github.com/elasticjob-go/elastic v0.0.0\n\n" +
		"replace github.com/elasticjob-go/elastic => " + checkout + "\n"
	for name, text := range map[string]string{
		"main.go": source,
		"go.mod":  mod,
		"go.sum":  read(t, filepath.Join(root, "go.sum")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "hello")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s\n%s", err, out, source)
	}
	return binary
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
