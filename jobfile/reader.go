package jobfile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/faults"
)

// reader reads one file and collects its faults.
type reader struct {
	lookup func(string) (string, bool)
	faults faults.List

	// left is the number of nodes that may still be visited. It bounds the work
	// of a file whose aliases refer to aliases.
	left     int
	expanded map[*yaml.Node]expansion
}

// parse returns the content of the file's only document; nil if there are
// faults.
func (p *reader) parse(text []byte) (root *yaml.Node) {
	defer func() {
		if recover() != nil { // a panic of the YAML library
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
	err := dec.Decode(&first)
	switch {
	case errors.Is(err, io.EOF), err == nil && len(first.Content) == 0:
		p.faults.AddAt(1, `the file is empty: it must begin with "jobs:"`)
		return nil
	case err != nil:
		line, fault := syntaxFault(text, err)
		p.faults.AddAt(line, "%s", fault)
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		line := secondDocument(text, &second)
		p.faults.AddAt(line, "a second document begins here; a file has one, with one list of jobs")
		return nil
	}
	return first.Content[0]
}

// file returns the jobs below the root of a file.
func (p *reader) file(n *yaml.Node) []Job {
	keys := []string{"jobs"}
	var list *yaml.Node
	for _, e := range p.entries(n, "the file", keys) {
		switch {
		case e.name == "jobs":
			list = e.value
		case strings.HasPrefix(e.name, "x-"):
		default:
			p.unknown(e, "the file", keys)
		}
	}
	if list == nil {
		if p.faults.Len() == 0 {
			p.faults.AddAt(n.Line,
				`there is no "jobs:"; write it, and below it a line that begins with "- name: " for each job`)
		}
		return nil
	}
	at := list
	if list = p.resolve(list); list.Kind != yaml.SequenceNode {
		p.faults.AddAt(at.Line, `"jobs" must be a list, %s; write a line that begins with "- name: " for each job`,
			shown(list))
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

// fileJob is a job together with its place in the file.
type fileJob struct {
	job    Job
	line   int
	faults int
	values map[string]*yaml.Node // by key, such as "shards" or "run.script.path"
	depth  int                   // in the search for cycles: the place on the path; -1: done
}

// lineOf returns the line of a key's value; the line of the job if it has no
// such key.
func (j *fileJob) lineOf(key string) int {
	if n := j.values[key]; n != nil {
		return n.Line
	}
	return j.line
}

// job reads one item of the list; nil if it is not a job.
func (p *reader) job(item *yaml.Node) *fileJob {
	before := p.faults.Len()
	n := p.resolve(item)
	if n.Kind != yaml.MappingNode {
		p.faults.AddAt(item.Line, `a job must be keys with values, such as "name: …", %s`, shown(n))
		return nil
	}
	j := &fileJob{line: item.Line, values: map[string]*yaml.Node{}}
	readFields(p, j, section[Job]{name: "a job", fields: jobFields}, n, &j.job)
	j.faults = p.faults.Len() - before
	return j
}

// section is a mapping of a file with the keys that it may have.
type section[T any] struct {
	name   string // in messages
	prefix string // of its keys in messages
	fields []field[T]
}

// readFields reads the mapping n into to.
func readFields[T any](p *reader, j *fileJob, s section[T], n *yaml.Node, to *T) {
	names := namesOf(s.fields)
	entries := p.entries(n, s.name, names)
	for _, e := range entries {
		j.values[s.prefix+e.name] = e.value
	}
	for _, e := range entries {
		f := find(s.fields, e.name)
		if f == nil {
			p.unknown(e, s.name, names)
			continue
		}
		v := value{
			p:      p,
			j:      j,
			key:    s.prefix + e.name,
			node:   e.value,
			secret: f.secret,
		}
		f.read(v, to)
	}
}
