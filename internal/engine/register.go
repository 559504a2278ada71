package engine

import (
	"fmt"
	"strings"
)

// refuses returns why a job can't be added beside those that are, or nil. The
// caller holds e.mu.
func (e *Engine) refuses(j Job) error {
	if _, taken := e.registered[j.Name]; taken {
		return fmt.Errorf("it was added before; unregister it first, or give this one another name")
	}
	if cycle := e.cycle(j); cycle != nil {
		return fmt.Errorf("after: %s is a cycle, and none of these jobs would ever run; take a name out of after", strings.Join(cycle, " → "))
	}
	return nil
}

// cycle returns the names of a cycle that a job closes with those that are
// there, from the job back to itself; nil if there is none.
func (e *Engine) cycle(j Job) []string {
	seen := map[string]bool{}
	var walk func(after []string) []string
	walk = func(after []string) []string {
		for _, name := range after {
			if name == j.Name {
				return []string{name}
			}
			if seen[name] {
				continue
			}
			seen[name] = true
			r := e.registered[name]
			if r == nil {
				continue // it is not a job of this program
			}
			if path := walk(r.Spec.After); path != nil {
				return append(path, name)
			}
		}
		return nil
	}
	path := walk(j.Spec.After)
	if path == nil {
		return nil
	}
	return append(path, j.Name)
}
