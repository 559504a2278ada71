package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// core is the path of the root module.
const core = "github.com/elasticjob-go/elastic"

// module is a module of the workspace.
type module struct {
	dir      string // slash-separated, "." for the root
	path     string
	needs    []*module // modules of the workspace that it requires
	released bool
}

// tag is the tag of a version of m.
func (m *module) tag(version string) string { return path.Join(m.dir, version) }

// isReleased reports whether others import or install a module in dir. The
// rest is for development here and keeps its replace lines.
func isReleased(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	switch top {
	case "e2e", "examples", "conformance", "internal", "tools", "bench":
		return false
	}
	return true
}

// readModules returns the modules of the workspace at root. Each comes after
// those that it needs.
func readModules(root string) ([]*module, error) {
	var work struct{ Use []struct{ DiskPath string } }
	if err := (command{dir: root}).json(&work, "go", "work", "edit", "-json"); err != nil {
		return nil, err
	}
	byPath := map[string]*module{}
	requires := map[*module][]string{}
	var all []*module
	for _, use := range work.Use {
		dir := path.Clean(use.DiskPath)
		var file struct {
			Module  struct{ Path string }
			Require []struct{ Path string }
		}
		if err := (command{dir: path.Join(root, dir)}).json(&file, "go", "mod", "edit", "-json"); err != nil {
			return nil, err
		}
		m := &module{dir: dir, path: file.Module.Path, released: isReleased(dir)}
		byPath[m.path] = m
		for _, r := range file.Require {
			requires[m] = append(requires[m], r.Path)
		}
		all = append(all, m)
	}
	for _, m := range all {
		for _, p := range requires[m] {
			if other := byPath[p]; other != nil {
				m.needs = append(m.needs, other)
			}
		}
	}
	return ordered(all)
}

// ordered returns the modules such that each comes after those that it needs.
func ordered(all []*module) ([]*module, error) {
	var order []*module
	state := map[*module]int{} // 1: under way, 2: done
	var visit func(m *module) error
	visit = func(m *module) error {
		switch state[m] {
		case 1:
			return fmt.Errorf("module %s needs itself", m.path)
		case 2:
			return nil
		}
		state[m] = 1
		for _, other := range m.needs {
			if m.released && !other.released {
				return fmt.Errorf("module %s is released and needs %s, which is not", m.path, other.path)
			}
			if err := visit(other); err != nil {
				return err
			}
		}
		state[m] = 2
		order = append(order, m)
		return nil
	}
	for _, m := range all {
		if err := visit(m); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// json runs a command and decodes its output.
func (c command) json(into any, name string, args ...string) error {
	text, err := c.output(name, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("read the output of %s: %w", name, err)
	}
	return nil
}
