package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// verify installs every command of the released modules, and builds and runs a
// program that imports each of the others. It does so with an empty module
// cache, as a new user would.
func (r *release) verify() error {
	for _, m := range r.modules {
		if !m.released {
			continue
		}
		names, err := r.goIn(m.dir).output("go", "list", "-f", "{{.ImportPath}} {{.Name}}", "./...")
		if err != nil {
			return err
		}
		imported := ""
		for line := range strings.Lines(names) {
			name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch {
			case kind == "main" && strings.HasPrefix(name, core+"/cmd/"):
				err = r.install(name)
			case kind != "main" && imported == "" && !strings.Contains(name, "/internal/"):
				imported = name
			}
			if err != nil {
				return err
			}
		}
		if imported == "" {
			continue
		}
		if err := r.use(m, imported); err != nil {
			return err
		}
	}
	return nil
}

// use builds and runs a program that imports a package, in an empty module.
func (r *release) use(m *module, name string) error {
	dir, err := os.MkdirTemp(r.temp, "probe-")
	if err != nil {
		return fmt.Errorf("make an empty module: %w", err)
	}
	program := fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() { println(\"runs\") }\n", name)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644); err != nil {
		return fmt.Errorf("make an empty module: %w", err)
	}
	c := command{dir: dir, env: r.environment("probe")}
	for _, args := range [][]string{
		{"mod", "init", "example.com/probe"},
		{"mod", "edit", "-require=" + m.path + "@" + r.version},
		{"run", "."},
	} {
		if err := c.run("go", args...); err != nil {
			return fmt.Errorf("use %s in an empty module: %w", name, err)
		}
	}
	fmt.Fprintf(r.out, "%s@%s: builds and runs\n", m.path, r.version)
	return nil
}

// install installs a command as users do, and asks it for help.
func (r *release) install(name string) error {
	bin := filepath.Join(r.temp, "bin")
	c := command{dir: r.temp, env: append(r.environment("install"), "GOBIN="+bin)}
	if err := c.run("go", "install", name+"@"+r.version); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	if err := c.run(filepath.Join(bin, filepath.Base(name)), "--help"); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	fmt.Fprintf(r.out, "go install %s@%s: runs\n", name, r.version)
	return nil
}
