package jobfile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// graph holds the jobs of a file and which of them follows which.
type graph struct {
	jobs  map[string]*fileJob
	order []*fileJob
}

// add adds a job, and reports a name that another job has.
func (g *graph) add(p *reader, j *fileJob) {
	g.order = append(g.order, j)
	if j.job.Name == "" {
		return // Validate reports it
	}
	if first, twice := g.jobs[j.job.Name]; twice {
		p.faults.AddAt(j.lineOf("name"), "name: job %s is there already, on line %d; give it another name",
			shownText(j.values["name"]), first.line)
		return
	}
	g.jobs[j.job.Name] = j
}

// check reports names in after that are not in the file, and cycles.
func (g *graph) check(p *reader) {
	names := make([]string, 0, len(g.jobs))
	for name := range g.jobs {
		names = append(names, name)
	}
	slices.Sort(names)
	var path []*fileJob
	var visit func(j *fileJob)
	visit = func(j *fileJob) {
		path = append(path, j)
		j.depth = len(path)
		most := min(len(j.job.After), layout.MaxAfter) // Validate reports more
		for _, name := range j.job.After[:most] {
			next := g.jobs[name]
			switch {
			case next == nil:
				g.unknown(p, j, name, names)
			case next == j: // Validate reports it
			case next.depth == 0:
				visit(next)
			case next.depth > 0:
				g.cycle(p, j, path[next.depth-1:])
			}
		}
		path = path[:len(path)-1]
		j.depth = -1
	}
	for _, j := range g.order {
		if j.depth == 0 {
			visit(j)
		}
	}
}

// cycle reports a cycle that j closes.
func (g *graph) cycle(p *reader, j *fileJob, cycle []*fileJob) {
	var names []string
	for _, on := range cycle[:min(len(cycle), 10)] {
		names = append(names, shownText(on.values["name"]))
	}
	p.faults.AddAt(j.lineOf("after"),
		"after: %d jobs follow each other in a cycle, and none would ever run: %s; take a name out of after",
		len(cycle), strings.Join(names, ", "))
}

// unknown reports a name in after that is not a job of the file.
func (g *graph) unknown(p *reader, j *fileJob, name string, names []string) {
	line := j.lineOf("after")
	n := j.values["after"]
	written := fmt.Sprintf("%.60q", name)
	if list := p.resolve(n); list.Kind == yaml.SequenceNode {
		for _, item := range list.Content {
			if item := p.resolve(item); p.expanded[item].text == name {
				line, written = item.Line, shownText(item)
			}
		}
	}
	p.faults.AddAt(line, "after: there is no job %s in the file%s", written, lazy(func() string {
		if len(names) < 1000 {
			near := nearest(name, names)
			if near != "" && !p.hasVariable(n) && !p.hasVariable(g.jobs[near].values["name"]) {
				return fmt.Sprintf("; did you mean %q?", near)
			}
		}
		return "; add it, or take it out of after"
	}))
}
