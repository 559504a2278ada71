// Worker is a deployable scheduler process. It runs jobs until SIGTERM.
//
//	worker -store etcd://127.0.0.1:2379/demo -job report -schedule "0/5 * * * * ?" -shards 6
//	worker -store etcd://127.0.0.1:2379/demo -jobs jobs.yaml
//
// Start it on as many machines as you like: the instances share the shards. Each
// flag has an environment variable, such as ELASTIC_STORE for -store. Flags win.
//
// SIGHUP makes it read its job file again. Jobs that are new or different replace
// the stored ones, for all instances. SIGTERM or SIGINT makes it drain, and a
// second one ends it at once.
//
// The exit code is 0 after a drain, 2 for wrong flags, and otherwise 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic"
	_ "github.com/elasticjob-go/elastic/store/consul"    // for consul:// URLs
	_ "github.com/elasticjob-go/elastic/store/etcd"      // for etcd:// URLs
	_ "github.com/elasticjob-go/elastic/store/file"      // for file:// URLs
	_ "github.com/elasticjob-go/elastic/store/zookeeper" // for zookeeper:// URLs
)

// config holds the values of flags and environment.
type config struct {
	store     string
	jobs      string // a file
	job       elastic.Job
	overwrite bool
	name      string
	exclusive bool // the name is unique in the fleet
	weight    int
	labels    map[string]string
	most      int // shards at a time
	ttl       time.Duration
	drain     time.Duration
	format    string
	level     slog.Level

	lab lab
}

func main() {
	c, err := parse(os.Args[1:], os.LookupEnv, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fail(2, err)
	}
	asked, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, leave := context.WithCancel(context.Background())
	context.AfterFunc(asked, func() {
		stop() // a second signal ends the process
		leave()
	})
	if err := run(ctx, c); err != nil {
		fail(1, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, "worker:", err)
	os.Exit(code)
}

// run runs the jobs until ctx ends.
func run(ctx context.Context, c config) error {
	log := c.logger()
	options := []elastic.Option{
		elastic.WithLogger(log), elastic.WithDrainTimeout(c.drain), elastic.WithSessionTTL(c.ttl),
		elastic.WithWeight(c.weight), elastic.WithLabels(c.labels), elastic.WithMaxConcurrent(c.most),
	}
	if c.lab.clock != "" {
		options = append(options, elastic.WithTesting(elastic.Testing{Now: wrongClock(ctx, c.lab.clock)}))
	}
	journal, err := openJournal(c.lab.out, c.lab.act)
	if err != nil {
		return err
	}
	defer journal.Close()
	var all []*roster
	for i := range c.lab.schedulers {
		name := c.instance(i)
		r, err := c.open(ctx, journal.of(name).record(c.lab.handler(log)), append(c.named(name), options...))
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	var group sync.WaitGroup
	ended := make([]error, len(all))
	for i, r := range all {
		group.Go(func() { ended[i] = r.scheduler.Run(ctx) })
	}
	if c.jobs != "" {
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGHUP)
		go reload(ctx, c.jobs, all, again, log) // ends with ctx
	}
	group.Wait()
	return errors.Join(ended...)
}

// instance returns the name of the i-th instance of this process. An empty name
// means the host's.
func (c config) instance(i int) string {
	if c.name == "" || c.lab.schedulers == 1 {
		return c.name
	}
	return fmt.Sprintf("%s-%d", c.name, i+1)
}

// named returns the options that give an instance its name.
func (c config) named(name string) []elastic.Option {
	switch {
	case name == "":
		return nil
	case c.exclusive:
		return []elastic.Option{elastic.WithExclusiveName(name)}
	}
	return []elastic.Option{elastic.WithName(name)}
}

// open returns a scheduler with the jobs added.
func (c config) open(ctx context.Context, h elastic.Handler, options []elastic.Option) (*roster, error) {
	scheduler, err := elastic.Open(ctx, c.store, options...)
	if err != nil {
		return nil, err
	}
	var add []elastic.AddOption
	if c.overwrite {
		add = append(add, elastic.Overwrite())
	}
	jobs := []elastic.Job{c.job}
	if c.jobs != "" {
		if jobs, err = load(c.jobs); err != nil {
			return nil, errors.Join(err, scheduler.Close())
		}
	}
	r := &roster{scheduler, h, map[string]elastic.Job{}}
	if err := r.become(jobs, add...); err != nil {
		return nil, errors.Join(err, scheduler.Close())
	}
	return r, nil
}

// handler returns the handler of all jobs. It sleeps for the time of -work, or
// until its context ends.
func (l lab) handler(log *slog.Logger) elastic.HandlerFunc {
	if l.act {
		return actor(l.work)
	}
	return func(ctx context.Context, run elastic.Run) error {
		log.Debug("working",
			"job", run.Job,
			"shard", run.Shard,
			"of", run.Shards,
			"fire", run.Fire,
			"attempt", run.Attempt,
			"fence", run.Fence())
		if err := writeFenced(l.fenced, run); err != nil {
			return err
		}
		stop := ctx.Done()
		if l.deaf {
			stop = nil
		}
		select {
		case <-time.After(l.work):
			return writeFenced(l.fenced, run)
		case <-stop:
			return context.Cause(ctx)
		}
	}
}

func (c config) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// parse reads the flags, and the environment for flags that are not given.
func parse(args []string, lookup func(string) (string, bool), usage io.Writer) (config, error) {
	c := config{format: "text", labels: map[string]string{}}
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.store, "store", "", "`URL` of the store, such as etcd://127.0.0.1:2379/demo")
	f.StringVar(&c.jobs, "jobs", "", "`file` of jobs, YAML as in examples/worker/jobs.yaml, in place of the one that the flags below describe")
	f.StringVar(&c.job.Name, "job", "demo", "the job's name")
	f.StringVar(&c.job.Schedule, "schedule", "0/5 * * * * ?", "when it fires: Quartz with 6 or 7 fields, Unix with 5, @every 10s")
	f.StringVar(&c.job.TimeZone, "time-zone", "", "of the schedule, such as Europe/Berlin (default UTC)")
	f.IntVar(&c.job.Shards, "shards", 3, "number of parts of the job")
	f.StringVar(&c.job.Parameter, "parameter", "", "passed to every shard")
	f.BoolVar(&c.job.Failover, "failover", true, "repeat a run whose instance was lost")
	f.IntVar(&c.job.MaxAttempts, "max-attempts", elastic.DefaultMaxAttempts, "attempts at one fire, if instances are lost during it")
	f.StringVar((*string)(&c.job.Misfire), "misfire", "once", "policy for fires that did not begin in time: once, skip, all")
	f.StringVar((*string)(&c.job.Overlap), "overlap", "queue", "policy for a fire while the shard still runs: queue, skip, replace")
	f.DurationVar(&c.job.Timeout, "timeout", 0, "ends a run that takes longer (default none)")
	f.DurationVar(&c.job.CarryOn, "carry-on", 0, "time for which runs continue without a session; a take-over waits for it (default 0)")
	f.BoolVar(&c.overwrite, "overwrite", false, "replace the job in the store if it differs")
	f.StringVar(&c.name, "name", "", "of this instance (default the host's)")
	f.BoolVar(&c.exclusive, "exclusive", false, "the name is unique: a new process replaces the old one of that name at once")
	f.IntVar(&c.weight, "weight", 1, "share of the shards, in proportion to other instances")
	f.Func("labels", "of this instance, such as `zone=eu,disk=ssd`", func(text string) error { return readLabels(text, c.labels) })
	f.IntVar(&c.most, "max-concurrent", 0, "shards that run at a time, of all jobs (default all)")
	f.DurationVar(&c.ttl, "ttl", 0, "of the session (default the store URL's session_ttl)")
	f.DurationVar(&c.drain, "drain", elastic.DefaultDrain, "time that running handlers get after SIGTERM")
	f.StringVar(&c.format, "log", "text", "format of the log on standard error: text, json")
	f.TextVar(&c.level, "log-level", slog.LevelInfo, "debug, info, warn, error")
	c.lab.flags(f)

	var faults []error
	f.VisitAll(func(fl *flag.Flag) {
		if value, ok := lookup(variable(fl.Name)); ok {
			if err := fl.Value.Set(value); err != nil {
				faults = append(faults, fmt.Errorf("environment variable %s=%q: %w", variable(fl.Name), value, err))
			}
		}
	})
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(usage, "Usage of worker (a flag -x-y can be given as environment variable ELASTIC_X_Y):")
			f.SetOutput(usage)
			f.PrintDefaults()
		}
		return c, err
	}
	if f.NArg() > 0 {
		faults = append(faults, fmt.Errorf("argument %q is not a flag", f.Arg(0)))
	}
	if c.store == "" {
		faults = append(faults, errors.New("no store: give -store or ELASTIC_STORE, such as etcd://127.0.0.1:2379/demo, or memory://demo to try it alone"))
	}
	if c.exclusive && c.name == "" {
		faults = append(faults, errors.New("-exclusive needs a -name"))
	}
	if c.format != "text" && c.format != "json" {
		faults = append(faults, fmt.Errorf("-log %s: want text or json", c.format))
	}
	faults = append(faults, c.job.Validate())
	return c, errors.Join(faults...)
}

// readLabels replaces labels by those in text, such as zone=eu,disk=ssd.
func readLabels(text string, labels map[string]string) error {
	clear(labels)
	if text == "" {
		return nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("want name=value, got %q", pair)
		}
		labels[name] = value
	}
	return nil
}

// variable returns the name of the environment variable of a flag.
func variable(name string) string {
	return "ELASTIC_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
