package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobfile"
)

// roster is the jobs that an instance takes part in.
type roster struct {
	scheduler *elastic.Scheduler
	handler   elastic.Handler
	jobs      map[string]elastic.Job
}

// become makes the roster these jobs. What stays as it is, is left alone.
func (r *roster) become(jobs []elastic.Job, options ...elastic.AddOption) error {
	var faults []error
	stays := map[string]bool{}
	for _, job := range jobs {
		stays[job.Name] = reflect.DeepEqual(r.jobs[job.Name], job)
	}
	for name := range r.jobs {
		if !stays[name] {
			faults = append(faults, r.scheduler.Unregister(name))
			delete(r.jobs, name)
		}
	}
	for _, job := range jobs {
		if stays[job.Name] {
			continue
		}
		if err := r.scheduler.Add(job, r.handler, options...); err != nil {
			faults = append(faults, err)
			continue
		}
		r.jobs[job.Name] = job
	}
	return errors.Join(faults...)
}

// reload reads the file of jobs again at each signal, until ctx ends, and puts what is new or different into the store. A job that the file
// no longer has stays there, and with other instances. A file that can't be read changes nothing.
func reload(ctx context.Context, path string, all []*roster, signals <-chan os.Signal, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		jobs, err := load(path)
		for _, r := range all {
			if err == nil {
				err = r.become(jobs, elastic.Overwrite())
			}
		}
		if err != nil {
			log.Error("the file of jobs was not taken over", "file", path, "error", err)
			continue
		}
		log.Info("took the file of jobs over", "file", path, "jobs", fmt.Sprint(len(jobs)))
	}
}

// load returns the jobs of a job file.
func load(path string) ([]elastic.Job, error) {
	file, err := jobfile.Load(path)
	if err != nil {
		return nil, err
	}
	var jobs []elastic.Job
	for _, job := range file.Jobs {
		jobs = append(jobs, job.Job)
	}
	return jobs, nil
}
