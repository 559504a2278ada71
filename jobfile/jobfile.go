package jobfile

import (
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// File is the content of a job file.
type File struct {
	Jobs []Job // in the order of the file
}

// Job is one job of a file: its configuration, and the work of its runs.
type Job struct {
	elastic.Job

	// Run is the job's "run" section; nil if it has none. It belongs to the
	// process that read the file: it is never written to the store, so that
	// access to the store is no way to execute a program.
	Run *Run
}

// Run is the work of a job's runs: a script or an HTTP call. Exactly one of its
// fields is set. The values are those that [script.New] and [httpcall.New]
// take, without the fields that only code can set: Output of a script, TLS of a
// call.
//
// Printed, encoded as JSON or logged, a Run shows no arguments, environment,
// headers or bodies.
type Run struct {
	Script *script.Script
	HTTP   *httpcall.Request
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
// the key, and says what to write. After 50 faults only the number of the
// others follows. No error shows the value of a variable, or an argument, a
// header or another part of a "run" section that can be secret. A file has at
// most 16 MiB.
//
// Two things are not checked, because they depend on the program and the
// machine: whether a name in sharding is a strategy of the program, which
// Scheduler.Add checks, and whether the program of a script exists, which
// [script.New] checks.
func Read(r io.Reader, lookup func(string) (string, bool)) (*File, error) {
	return read(r, lookup, "")
}

// maxSize is the largest size of a file. 10,000 long jobs fit in.
const maxSize = 16 << 20

func read(r io.Reader, lookup func(string) (string, bool), prefix string) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%sread jobs: %w", prefix, err)
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%sa job file has at most %d bytes; use several files", prefix, maxSize)
	}
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	p := &reader{
		lookup:   lookup,
		faults:   faults.List{Prefix: prefix},
		left:     1_000_000 + 2*len(text),
		expanded: map[*yaml.Node]expansion{},
	}
	var file File
	if root := p.parse(text); root != nil {
		file.Jobs = p.file(root)
	}
	if err := p.faults.Err(); err != nil {
		return nil, err
	}
	return &file, nil
}
