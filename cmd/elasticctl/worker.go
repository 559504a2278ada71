package main

import (
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cmd/elasticctl/internal/worker"
	"github.com/spf13/cobra"
)

const workerLong = `Run the jobs of a job file: scripts and HTTP calls.

Each job of the file needs a "run" section with "script" or "http". The work is
never written to the store, and nothing that is read from the store is executed.
Start the command on as many machines as you like: the instances share the shards.

SIGTERM or SIGINT makes the worker drain: running shards finish, and other
instances take the rest over. A second one ends it at once. SIGHUP makes it read
the file again; jobs that are new or differ then replace those in the store.`

// instanceFlags are the settings of the instance that a worker starts.
type instanceFlags struct {
	name      string
	exclusive bool
	labels    map[string]string
	weight    int
	most      int
	ttl       time.Duration
	drain     time.Duration
}

func (i *instanceFlags) options() ([]elastic.Option, error) {
	options := []elastic.Option{
		elastic.WithWeight(i.weight),
		elastic.WithLabels(i.labels),
		elastic.WithMaxConcurrent(i.most),
		elastic.WithSessionTTL(i.ttl),
		elastic.WithDrainTimeout(i.drain),
	}
	switch {
	case i.exclusive && i.name == "":
		return nil, usage("--exclusive needs a --name")
	case i.exclusive:
		options = append(options, elastic.WithExclusiveName(i.name))
	case i.name != "":
		options = append(options, elastic.WithName(i.name))
	}
	return options, nil
}

func (a *app) newWorker() *cobra.Command {
	var c worker.Config
	var instance instanceFlags
	var format, level string
	cmd := &cobra.Command{
		Use:     "worker --jobs FILE",
		Short:   "Run scripts and HTTP calls of a job file",
		Long:    workerLong,
		Example: "  elasticctl worker --jobs jobs.yaml --store etcd://10.0.0.5:2379/prod --listen :9100",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.File == "" {
				return usage("say which jobs: --jobs FILE")
			}
			t, err := a.target()
			if err != nil {
				return err
			}
			c.Options, err = instance.options()
			if err != nil {
				return err
			}
			c.Log, err = newLogger(cmd.ErrOrStderr(), format, level)
			if err != nil {
				return err
			}
			c.Store = t.Store
			if c.Store == "" {
				return usage("a worker needs a store: --store URL, or a context that has one")
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			c.Reload = reload
			return worker.Run(cmd.Context(), c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.store, "store", "",
		"the store, as scheme://host[:port]/namespace; otherwise ELASTIC_STORE, or that of the context")
	f.StringVar(&a.context, "context", "",
		"the context of the configuration; otherwise ELASTIC_CONTEXT, or the current one")
	f.StringVar(&c.File, "jobs", "", "the job file (required)")
	f.BoolVar(&c.Overwrite, "overwrite", false, "replace stored jobs that differ from the file")
	f.StringVar(&c.Listen, "listen", "", "serve /metrics, /livez, /readyz and /startupz on this address, such as :9100")
	f.StringVar(&instance.name, "name", "", "of this instance; otherwise the host's")
	f.BoolVar(&instance.exclusive, "exclusive", false, "the name is unique: a new process replaces the old one at once")
	f.StringToStringVar(&instance.labels, "label", nil, "a label of this instance, such as zone=eu; can be repeated")
	f.IntVar(&instance.weight, "weight", 1, "share of the shards, in proportion to other instances")
	f.IntVar(&instance.most, "max-concurrent", 0, "shards that run at a time, of all jobs; 0 means all")
	f.DurationVar(&instance.ttl, "ttl", 0, "of the session; otherwise session_ttl of the store's URL")
	f.DurationVar(&instance.drain, "drain", elastic.DefaultDrain, "time that running shards get after SIGTERM")
	f.StringVar(&format, "log", "text", "format of the log on standard error: text or json")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// newLogger returns a logger for a format and a level as users write them.
func newLogger(to io.Writer, format, level string) (*slog.Logger, error) {
	var options slog.HandlerOptions
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level %.20q: want debug, info, warn or error", level)
	}
	options.Level = least
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(to, &options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, &options)), nil
	}
	return nil, usage("--log %.20q: want text or json", format)
}
