package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var (
	shBlock  = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	comment  = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	target   = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	inCode   = regexp.MustCompile("`((?:make|elasticctl|go run|go test) [^`…]*)`")
	runnable = regexp.MustCompile(`^(mkdir|cd|go mod init|go get) `)
)

// block is a shell block of a page.
type block struct{ page, text string }

// commands returns the lines of a block without comments.
func (b block) commands() []string {
	var found []string
	for line := range strings.Lines(comment.ReplaceAllString(b.text, "")) {
		for part := range strings.SplitSeq(line, "&&") {
			if part = strings.TrimSpace(part); part != "" {
				found = append(found, part)
			}
		}
	}
	return found
}

// runs reports whether all commands of the block run without a server and
// without this repository.
func (b block) runs() bool {
	for _, command := range b.commands() {
		if !runnable.MatchString(command) {
			return false
		}
	}
	return true
}

// blocks returns the shell blocks of all pages.
func blocks(t *testing.T) []block {
	t.Helper()
	var found []block
	for _, page := range pages(t) {
		for _, m := range shBlock.FindAllStringSubmatch(read(t, page), -1) {
			found = append(found, block{page, m[1]})
		}
	}
	if len(found) < 10 {
		t.Fatalf("got %d shell blocks, want at least 10: the pattern finds too few", len(found))
	}
	return found
}

// Each shell block is valid for bash.
func TestCommands_Parse(t *testing.T) {
	bash := lookPath(t, "bash")
	for _, b := range blocks(t) {
		cmd := exec.Command(bash, "-n")
		cmd.Stdin = strings.NewReader(b.text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", b.page, err, out, b.text)
		}
	}
}

// The blocks of README and the guide that need no server run in an empty
// directory. They use this checkout in place of the published modules.
func TestCommands_Run(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the blocks are for a Unix shell")
	}
	bash := lookPath(t, "bash")
	ran := map[string]bool{}
	for _, b := range blocks(t) {
		name, err := filepath.Rel(root, b.page)
		if err != nil {
			t.Fatal(err)
		}
		if !b.runs() || name != "README.md" && !strings.HasPrefix(filepath.ToSlash(name), "docs/guide/") {
			continue
		}
		ran[filepath.ToSlash(name)] = true
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := b.text
			if !strings.Contains(text, "go mod init") {
				text = "go mod init example.com/hello\n" + text
			}
			cmd := exec.Command(bash, "-e", "-u")
			cmd.Stdin = strings.NewReader(text)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(),
				"PATH="+goWrapper(t)+string(filepath.ListSeparator)+os.Getenv("PATH"),
				"GOWORK=off", "GOFLAGS=-mod=mod")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, out, b.text)
			}
		})
	}
	for _, page := range []string{"README.md", "docs/guide/getting-started.md"} {
		if !ran[page] {
			t.Errorf("no block of %s ran", page)
		}
	}
}

// goWrapper returns a directory with a command go that replaces the modules of
// this repository by this checkout before it gets one of them.
func goWrapper(t *testing.T) string {
	t.Helper()
	const module = "github.com/elasticjob-go/elastic"
	goPath := lookPath(t, "go")
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nset -e\n" +
		"if [ \"$1\" = get ]; then\n" +
		"  sub=${2#" + module + "}\n" +
		"  " + goPath + " mod edit -replace " + module + "=" + checkout + "\n" +
		"  " + goPath + " mod edit -replace \"$2=" + checkout + "$sub\"\n" +
		"  exec " + goPath + " get \"$2@v0.0.0\"\n" +
		"fi\n" +
		"exec " + goPath + " \"$@\"\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
	return path
}

// Each command of this repository that a page shows exists: targets of make,
// directories and tests of go, subcommands and flags of elasticctl.
func TestCommands_Exist(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		targets[m[1]] = true
	}
	ctl := ""
	checked := map[string]int{}
	check := func(page, command string) {
		words := strings.Fields(command)
		var err error
		switch words[0] {
		case "make":
			for _, word := range words[1:] {
				if !strings.Contains(word, "=") && !targets[word] {
					err = fmt.Errorf("the Makefile has no target %q", word)
				}
			}
		case "elasticctl":
			if ctl == "" {
				ctl = buildCtl(t)
			}
			err = checkCtl(ctl, words)
		case "go":
			err = checkGo(t, words)
		default:
			return
		}
		checked[words[0]]++
		if err != nil {
			t.Errorf("%s: %s: %v", page, command, err)
		}
	}
	for _, b := range blocks(t) {
		for _, command := range b.commands() {
			check(b.page, command)
		}
	}
	for _, page := range pages(t) {
		text := fence.ReplaceAllString(read(t, page), "")
		for _, m := range inCode.FindAllStringSubmatch(text, -1) {
			check(page, m[1])
		}
	}
	for _, name := range []string{"make", "elasticctl", "go"} {
		if checked[name] == 0 {
			t.Errorf("no page shows a command %s: the pattern finds too few", name)
		}
	}
}

// checkGo checks the directories and the pattern of tests that go run and go
// test name.
func checkGo(t *testing.T, words []string) error {
	if len(words) < 2 || words[1] != "run" && words[1] != "test" {
		return nil
	}
	pattern, dir := "", ""
	for i, word := range words[2:] {
		switch {
		case word == "-run" || word == "-bench" && pattern == "":
			pattern = strings.Trim(words[min(i+3, len(words)-1)], "'")
		case strings.HasPrefix(word, "./") && !strings.Contains(word, "..."):
			dir = filepath.Join(root, word)
			if _, err := os.Stat(dir); err != nil {
				return err
			}
		}
	}
	if pattern == "" || pattern == "^$" || dir == "" {
		return nil
	}
	match, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		for _, m := range testFunc.FindAllStringSubmatch(read(t, file), -1) {
			if match.MatchString(m[1]) {
				return nil
			}
		}
	}
	return fmt.Errorf("no test in %s matches %s", dir, pattern)
}

// buildCtl builds elasticctl.
func buildCtl(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "elasticctl")
	cmd := exec.Command(lookPath(t, "go"), "build", "-o", binary, ".")
	cmd.Dir = filepath.Join(root, "cmd/elasticctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build elasticctl: %v\n%s", err, out)
	}
	return binary
}

// checkCtl checks that elasticctl has the subcommands and the flags of a
// command line.
func checkCtl(binary string, words []string) error {
	var sub, flags []string
	for _, word := range words[1:] {
		name, _, _ := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, "-"):
			flags = append(flags, name)
		case len(flags) == 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(word):
			sub = append(sub, word)
		}
	}
	out, err := exec.Command(binary, append(sub, "--help")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if want := strings.Join(append([]string{"elasticctl"}, sub...), " "); !strings.Contains(string(out), "\n  "+want) {
		return fmt.Errorf("the help has no usage of %q", want)
	}
	for _, name := range flags {
		if !regexp.MustCompile(regexp.QuoteMeta(name) + `\b`).Match(out) {
			return fmt.Errorf("the help has no flag %s", name)
		}
	}
	return nil
}
