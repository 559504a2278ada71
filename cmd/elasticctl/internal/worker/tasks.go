package worker

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobfile"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// task is a job of the file with its work.
type task struct {
	job  elastic.Job
	work elastic.Handler
}

// load reads a job file and makes the handlers. It returns an error that names
// every job without usable work.
func load(path string, log *slog.Logger) ([]task, error) {
	file, err := jobfile.Load(path)
	if err != nil {
		return nil, err
	}
	if len(file.Jobs) == 0 {
		return nil, fmt.Errorf("%s: the file has no jobs; add one below \"jobs\"", path)
	}
	var tasks []task
	var faults []error
	for _, job := range file.Jobs {
		work, err := handler(job.Run, log)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: job %q: %w", path, job.Name, err))
			continue
		}
		tasks = append(tasks, task{job.Job, work})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return tasks, nil
}

var errNoWork = errors.New(`it has no "run" section; a worker runs scripts and HTTP calls only, ` +
	`so add "run: {script: {path: …}}" or "run: {http: {url: …}}"`)

// handler returns the handler of a "run" section. Lines that a script writes go
// to the log.
func handler(run *jobfile.Run, log *slog.Logger) (elastic.Handler, error) {
	switch {
	case run == nil:
		return nil, errNoWork
	case run.Script != nil:
		s := *run.Script
		s.Output = script.Log(log)
		return script.New(s)
	default:
		return httpcall.New(*run.HTTP)
	}
}
