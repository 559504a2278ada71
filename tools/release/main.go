// Command release prepares a release of all modules of this repository.
//
//	release [-dry] VERSION
//
// It makes two commits. In the first, the released modules require each other
// at VERSION and have no replace lines, so that go get and go install work. The
// second puts the replace lines back for development. The tags to push belong
// on the first; the command prints them and pushes nothing.
//
// Between the two it serves the first commit from a local file proxy and
// builds, in an empty module, every released module and every command.
//
// With -dry it does all of that in a temporary clone of HEAD. It needs the
// module cache or a module proxy for other people's modules; where neither has
// them, -dry says so and succeeds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	dry := flag.Bool("dry", false, "work in a temporary clone")
	flag.Parse()
	err := run(flag.Arg(0), *dry, os.Stdout)
	if *dry && errors.Is(err, errOffline) {
		fmt.Println("release-check: not run:", err)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var isVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$`)

// run releases the repository of the working directory.
func run(version string, dry bool, out io.Writer) error {
	if !isVersion.MatchString(version) {
		return fmt.Errorf("version %q: want one such as v0.2.0: make release VERSION=v0.2.0", version)
	}
	root, err := command{dir: "."}.output("git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "elastic-release-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer removeAll(temp)
	if dry {
		clone := filepath.Join(temp, "clone")
		if err := (command{dir: root}).run("git", "clone", "-q", "--no-hardlinks", root, clone); err != nil {
			return err
		}
		root = clone
	}
	r := release{
		root:    root,
		version: version,
		proxy:   filepath.Join(temp, "proxy"),
		temp:    temp,
		out:     out,
	}
	return r.all()
}

// release is one run of the command.
type release struct {
	root    string
	version string
	proxy   string // the directory of the file proxy
	temp    string
	out     io.Writer
	modules []*module
}

func (r *release) all() error {
	if err := r.clean(); err != nil {
		return err
	}
	modules, err := readModules(r.root)
	if err != nil {
		return err
	}
	r.modules = modules
	before, err := r.goMods()
	if err != nil {
		return err
	}
	if err := r.bump(); err != nil {
		return err
	}
	if err := r.commit("release: require " + r.version + " everywhere"); err != nil {
		return err
	}
	released, err := r.git().output("git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if err := r.verify(); err != nil {
		return err
	}
	if err := r.restore(before); err != nil {
		return err
	}
	if err := r.commit("release: develop against the working tree after " + r.version); err != nil {
		return err
	}
	if err := r.develop(); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "push the two commits, and then these tags of %s:\n", released)
	for _, m := range r.modules {
		if m.released {
			fmt.Fprintf(r.out, "  git tag %s %.12s\n", m.tag(r.version), released)
		}
	}
	return nil
}

func (r *release) git() command { return command{dir: r.root} }

// clean returns an error if the working tree is dirty or the version is taken.
func (r *release) clean() error {
	status, err := r.git().output("git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if status != "" {
		return errors.New("the working tree has changes; commit them first")
	}
	tag, err := r.git().output("git", "tag", "--list", r.version)
	if err != nil {
		return err
	}
	if tag != "" {
		return fmt.Errorf("the tag %s exists; choose the next version", r.version)
	}
	return nil
}

func (r *release) commit(title string) error {
	name, email := "release", "release@localhost"
	if out, err := r.git().output("git", "config", "user.name"); err == nil {
		name = out
	}
	if out, err := r.git().output("git", "config", "user.email"); err == nil {
		email = out
	}
	return r.git().run("git", "-c", "user.name="+name, "-c", "user.email="+email,
		"commit", "-q", "--all", "--allow-empty", "-m", title)
}

// goMods returns the text of every go.mod and go.sum, by path.
func (r *release) goMods() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, m := range r.modules {
		for _, name := range []string{"go.mod", "go.sum"} {
			file := filepath.Join(r.root, m.dir, name)
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read a module file: %w", err)
			}
			texts[file] = text
		}
	}
	return texts, nil
}

// bump makes modules require each other at the version. Released modules lose
// their replace lines and are put into the proxy, those that others need first.
func (r *release) bump() error {
	for _, m := range r.modules {
		fmt.Fprintf(r.out, "%s %s\n", m.path, r.version)
		if err := r.require(m, m.released); err != nil {
			return err
		}
		if !m.released {
			continue
		}
		if err := r.goIn(m.dir).run("go", "mod", "tidy"); err != nil {
			return err
		}
		if err := r.publish(m); err != nil {
			return err
		}
	}
	return nil
}

// restore puts the replace lines back and keeps the versions.
func (r *release) restore(before map[string][]byte) error {
	for file, text := range before {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return fmt.Errorf("restore a module file: %w", err)
		}
	}
	for _, m := range r.modules {
		if err := r.require(m, false); err != nil {
			return err
		}
	}
	return nil
}

// require makes m require its siblings at the version. bare drops the replace
// lines.
func (r *release) require(m *module, bare bool) error {
	args := []string{"mod", "edit"}
	for _, other := range m.needs {
		args = append(args, "-require="+other.path+"@"+r.version)
		if bare {
			args = append(args, "-dropreplace="+other.path)
		}
	}
	if len(m.needs) == 0 {
		return nil
	}
	return r.goIn(m.dir).run("go", args...)
}

// develop builds all modules in the workspace.
func (r *release) develop() error {
	args := []string{"build"}
	for _, m := range r.modules {
		args = append(args, "./"+filepath.ToSlash(m.dir)+"/...")
	}
	return r.git().run("go", args...)
}

// goIn runs go in a directory of the repository, without the workspace, and
// with the proxy.
func (r *release) goIn(dir string) command {
	return command{dir: filepath.Join(r.root, dir), env: r.environment("bump")}
}

// environment makes go use the file proxy, then what the module cache holds,
// then the user's proxies. The module cache is a temporary one of that name: a
// version that is only tried must not stay in the user's.
func (r *release) environment(cache string) []string {
	users, _ := command{dir: r.root}.output("go", "env", "GOMODCACHE")
	proxies, _ := command{dir: r.root}.output("go", "env", "GOPROXY")
	return []string{
		"GOWORK=off",
		"GOFLAGS=-mod=mod",
		"GOMODCACHE=" + filepath.Join(r.temp, cache),
		"GOPROXY=" + strings.Join(slices.DeleteFunc([]string{
			"file://" + filepath.ToSlash(r.proxy),
			"file://" + filepath.ToSlash(filepath.Join(users, "cache", "download")),
			proxies,
		}, func(s string) bool { return s == "" }), ","),
		"GONOSUMDB=" + core + "," + core + "/*",
		"GOPRIVATE=",
		"GONOPROXY=none",
	}
}

// removeAll removes a directory with a module cache, whose files are read-only.
func removeAll(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
