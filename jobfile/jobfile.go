package jobfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// File is the content of a job file.
type File struct {
	Jobs []Job // in the order of the file
}

// Job is one job of a file.
type Job struct {
	elastic.Job
}

// Load reads the job file at path, as [Read] does. Variables come from the
// environment of the process. Each line of the error begins with the path.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load jobs: %w", err)
	}
	defer f.Close()
	return read(f, os.LookupEnv, path+": ")
}

// Read reads a job file from r. lookup returns the value of a variable, and
// whether it is set; nil means that no variable is set.
//
// All faults are reported in one error, sorted by line. Each names the line and
// the key, and says what to write. After 50 faults only the number of the others
// follows. No error shows the value of a variable. A file has at most 16 MiB.
//
// A name in sharding is not checked, because the reader does not know the
// strategies of the program; Scheduler.Add checks it.
func Read(r io.Reader, lookup func(string) (string, bool)) (*File, error) {
	return read(r, lookup, "")
}

func read(r io.Reader, lookup func(string) (string, bool), prefix string) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxJobFile+1))
	if err != nil {
		return nil, fmt.Errorf("%sread jobs: %w", prefix, err)
	}
	if len(text) > maxJobFile {
		return nil, fmt.Errorf("%sa file of jobs has at most %d bytes; use several files", prefix, maxJobFile)
	}
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	p := &fileReader{lookup: lookup, faults: faults.List{Prefix: prefix}, left: 1_000_000 + 2*len(text), expanded: map[*yaml.Node]expansion{}}
	var jobs []Job
	if root := p.parse(text); root != nil {
		jobs = p.file(root)
	}
	if err := p.faults.Err(); err != nil {
		return nil, err
	}
	return &File{Jobs: jobs}, nil
}

// maxJobFile is what 10,000 long jobs take.
const maxJobFile = 16 << 20

// fileReader reads one file and keeps what is wrong with it.
type fileReader struct {
	lookup   func(string) (string, bool)
	faults   faults.List
	left     int // nodes that may still be visited: aliases must not multiply the work without a bound
	expanded map[*yaml.Node]expansion
}

// parse returns the content of the one document of a file, or nil.
func (p *fileReader) parse(text []byte) (root *yaml.Node) {
	defer func() {
		if recover() != nil {
			root = nil
			p.faults.AddAt(1, "the file can't be read as YAML")
		}
	}()
	if line := notUTF8(text); line > 0 {
		p.faults.AddAt(line, "the file is not UTF-8; save it as UTF-8")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		p.faults.AddAt(1, `the file is empty: it must begin with "jobs:"`)
		return nil
	} else if err != nil {
		line, fault := syntaxFault(text, err)
		p.faults.AddAt(line, "%s", fault)
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		p.faults.AddAt(secondDocument(text, &second), "a second document begins here; a file has one, with one list of jobs")
		return nil
	}
	if len(first.Content) == 0 {
		p.faults.AddAt(1, `the file is empty: it must begin with "jobs:"`)
		return nil
	}
	return first.Content[0]
}

func (p *fileReader) file(n *yaml.Node) []Job {
	var list *yaml.Node
	for _, e := range p.entries(n, "the file", []string{"jobs"}) {
		switch {
		case e.name == "jobs":
			list = e.value
		case strings.HasPrefix(e.name, "x-"):
		default:
			p.unknown(e, "the file", []string{"jobs"})
		}
	}
	if list == nil {
		if p.faults.Len() == 0 {
			p.faults.AddAt(n.Line, `there is no "jobs:"; write it, and below it a line that begins with "- name: " for each job`)
		}
		return nil
	}
	at := list
	if list = p.resolve(list); list.Kind != yaml.SequenceNode {
		p.faults.AddAt(at.Line, `"jobs" must be a list, %s; write a line that begins with "- name: " for each job`, shown(list))
		return nil
	}
	g := graph{jobs: map[string]*fileJob{}}
	for _, item := range list.Content {
		j := p.job(item)
		if j == nil {
			continue
		}
		g.add(p, j)
		if j.faults == 0 {
			p.validate(j)
		}
	}
	g.check(p)
	jobs := make([]Job, 0, len(g.order))
	for _, j := range g.order {
		jobs = append(jobs, j.job)
	}
	return jobs
}

// fileJob is a job of a file.
type fileJob struct {
	job    Job
	line   int
	faults int
	values map[string]*yaml.Node // by key
	depth  int                   // in the search for cycles: its place on the path; -1: done
}

// node returns where a key's value stands; the job itself if it has no such key.
func (j *fileJob) lineOf(key string) int {
	if n := j.values[key]; n != nil {
		return n.Line
	}
	return j.line
}

// job reads one entry of the list; nil if it is not one.
func (p *fileReader) job(item *yaml.Node) *fileJob {
	line := item.Line
	before := p.faults.Len()
	n := p.resolve(item)
	if n.Kind != yaml.MappingNode {
		p.faults.AddAt(line, `a job must be keys with values, such as "name: …", %s`, shown(n))
		return nil
	}
	j := &fileJob{line: line, values: map[string]*yaml.Node{}}
	entries := p.entries(n, "a job", jobKeys)
	for _, e := range entries {
		j.values[e.name] = e.value
	}
	for _, e := range entries {
		if f := jobFields[e.name]; f != nil {
			f.read(value{p, j, e.name, e.value, e.value.Line}, &j.job)
		} else {
			p.unknown(e, "a job", jobKeys)
		}
	}
	j.faults = p.faults.Len() - before
	return j
}

// validate reports what Job.Validate refuses, each fault on the line of its key.
func (p *fileReader) validate(j *fileJob) {
	for _, fault := range faults.All(j.job.Validate()) {
		if fault.Local {
			continue
		}
		key := keyOf(fault, j)
		problem := fault.Err.Error()
		if variable := p.variableIn(j, fault.Field, key); variable != "" {
			problem = "the value of " + variable + " is not valid here; it is not shown, as it comes from a variable"
		} else if n := j.values[key]; n != nil {
			if n = p.resolve(n); n.Kind == yaml.ScalarNode && !strings.Contains(problem, clip(n.Value)) {
				problem = shownText(n) + " " + problem
			}
		}
		p.faults.AddAt(j.lineOf(key), "%s: %s", key, problem)
		j.faults++
	}
}

// keyOf returns the key that a fault is about.
func keyOf(fault *faults.Fault, j *fileJob) string {
	words := strings.Fields(fault.Field)
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	key := strings.Join(words, "")
	if key != "schedule" {
		return key
	}
	for begin, other := range map[string]string{"exception": "except", "start ": "start", "end ": "end"} {
		if strings.HasPrefix(fault.Err.Error(), begin) && j.values[other] != nil {
			return other
		}
	}
	return key
}

// variableIn returns the text that brings a variable into what a fault is
// about, or nothing.
func (p *fileReader) variableIn(j *fileJob, field, key string) string {
	keys := []string{key}
	if field == "schedule" {
		keys = []string{"schedule", "except", "start", "end", "timeZone"} // its message can show them all
	}
	for _, key := range keys {
		if n := j.values[key]; n != nil {
			if text := p.variableBelow(n, 3); text != "" {
				return text
			}
		}
	}
	return ""
}

// variableBelow returns the first text at or below n that has a variable.
func (p *fileReader) variableBelow(n *yaml.Node, depth int) string {
	n = p.resolve(n)
	if n.Kind == yaml.ScalarNode && p.expanded[n].variable {
		return clip(n.Value)
	}
	if depth > 0 {
		for _, item := range n.Content {
			if text := p.variableBelow(item, depth-1); text != "" {
				return text
			}
		}
	}
	return ""
}

func (p *fileReader) hasVariable(n *yaml.Node) bool { return p.variableBelow(n, 2) != "" }

// graph is which job of a file follows which.
type graph struct {
	jobs  map[string]*fileJob
	order []*fileJob
}

func (g *graph) add(p *fileReader, j *fileJob) {
	g.order = append(g.order, j)
	if j.job.Name == "" {
		return // that is a fault of its own
	}
	if first, twice := g.jobs[j.job.Name]; twice {
		p.faults.AddAt(j.lineOf("name"), "name: job %s is there already, on line %d; give it another name", shownText(j.values["name"]), first.line)
		return
	}
	g.jobs[j.job.Name] = j
}

// check reports names in after that are not in the file, and cycles.
func (g *graph) check(p *fileReader) {
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
		for _, name := range j.job.After[:min(len(j.job.After), layout.MaxAfter)] { // more are a fault of their own
			next := g.jobs[name]
			switch {
			case next == nil:
				g.unknown(p, j, name, names)
			case next == j: // Validate says so
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
func (g *graph) cycle(p *fileReader, j *fileJob, cycle []*fileJob) {
	var text []string
	for _, on := range cycle[:min(len(cycle), 10)] {
		text = append(text, shownText(on.values["name"]))
	}
	p.faults.AddAt(j.lineOf("after"), "after: %d jobs follow each other in a cycle, and none would ever run: %s; take a name out of after",
		len(cycle), strings.Join(text, ", "))
}

func (g *graph) unknown(p *fileReader, j *fileJob, name string, names []string) {
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
			if near := nearest(name, names); near != "" && !p.hasVariable(n) && !p.hasVariable(g.jobs[near].values["name"]) {
				return fmt.Sprintf("; did you mean %q?", near)
			}
		}
		return "; add it, or take it out of after"
	}))
}
