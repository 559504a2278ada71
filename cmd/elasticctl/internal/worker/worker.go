// Package worker runs the jobs of a job file: scripts and HTTP calls. The work
// comes from the file of this process alone. The store holds schedules and
// settings, and nothing that is read from it is executed.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/prom"
)

// Config configures Run. Store, File and Log are required.
type Config struct {
	Store     string           // the URL of the store
	File      string           // the path of the job file
	Options   []elastic.Option // of the instance
	Overwrite bool             // replace stored jobs that differ from the file, from the start

	// Listen is the address that serves metrics and health probes over HTTP,
	// such as "127.0.0.1:9100". Empty means none.
	Listen string

	// Reload makes the worker read the file again. Nil means never.
	Reload <-chan os.Signal

	Log *slog.Logger
}

// Run runs the jobs of the file until ctx ends, and drains then. It returns nil
// after the drain, and an error at once if the file, the store or the address
// can't be used.
//
// After a reload, jobs that are new or differ replace those in the store, for
// all instances. A job that the file no longer has ends on this instance only.
// Runs that are under way keep the work with which they began. A file with
// faults changes nothing.
func Run(ctx context.Context, c Config) error {
	tasks, err := load(c.File, c.Log)
	if err != nil {
		return err
	}
	metrics := prom.New(prom.Options{})
	options := append([]elastic.Option{elastic.WithLogger(c.Log), elastic.WithExporter(metrics)}, c.Options...)
	scheduler, err := elastic.Open(ctx, c.Store, options...)
	if err != nil {
		return err
	}
	r := newRoster(scheduler, c.Log)
	var add []elastic.AddOption
	if c.Overwrite {
		add = append(add, elastic.Overwrite())
	}
	if err := r.become(tasks, add...); err != nil {
		return errors.Join(err, scheduler.Close())
	}
	server, err := serve(c.Listen, metrics, scheduler, c.Log)
	if err != nil {
		return errors.Join(err, scheduler.Close())
	}
	defer server.close()

	reloading, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { reload(reloading, c, r) })
	defer group.Wait()
	defer stop()
	return scheduler.Run(ctx)
}

// reload reads the file at each signal until ctx ends.
func reload(ctx context.Context, c Config, r *roster) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.Reload:
		}
		tasks, err := load(c.File, c.Log)
		if err == nil {
			err = r.become(tasks, elastic.Overwrite())
		}
		if err != nil {
			c.Log.Error("the job file was not taken over completely; mend it and send SIGHUP again",
				"file", c.File, "error", err)
			continue
		}
		c.Log.Info("read the job file again", "file", c.File, "jobs", fmt.Sprint(len(tasks)))
	}
}
