package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/elasticjob-go/elastic/cmd/elasticctl/internal/dev"
	"github.com/spf13/cobra"
)

const devLong = `Run a store on this machine for development: an embedded etcd that only this
machine can reach. Its data is kept between starts.

Paste the URL that it prints into elastic.Open, or into ELASTIC_STORE for other
commands. A second start finds the first and prints its URL. Ctrl-C ends it.`

func (a *app) newDev() *cobra.Command {
	var c dev.Config
	var demo, temporary bool
	cmd := &cobra.Command{
		Use:     "dev",
		Short:   "Run a store on this machine for development",
		Long:    devLong,
		Example: "  elasticctl dev --demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if temporary && c.Dir != "" {
				return usage("--temp and --dir exclude each other")
			}
			if c.Port < 0 || c.Port > 65535 {
				return usage("--port %d: want one from 1 to 65535", c.Port)
			}
			if !temporary && c.Dir == "" {
				dir, err := a.dataDir()
				if err != nil {
					return err
				}
				c.Dir = filepath.Join(dir, "elasticctl", "dev")
			}
			return a.runDev(cmd.Context(), cmd.OutOrStdout(), c, demo)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&demo, "demo", false, "also run three instances with jobs that fail, hang, skip fires and get killed")
	f.BoolVar(&temporary, "temp", false, "forget the data at the end")
	f.StringVar(&c.Dir, "dir", "", "keep the data here; otherwise below ~/.local/share/elasticctl/dev")
	f.IntVar(&c.Port, "port", 0, "of the store; otherwise that of the last time, or a free one from 2379 on")
	return cmd
}

// runDev runs the store until ctx ends.
func (a *app) runDev(ctx context.Context, to io.Writer, c dev.Config, demo bool) (err error) {
	s, err := dev.Start(ctx, c)
	if errors.Is(err, dev.ErrRunning) {
		fmt.Fprintf(to, "elasticctl dev runs already, as process %d.\n\n", s.PID)
		return a.banner(to, s)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end, err := a.devAPI(ctx, s, cancel)
	if err != nil {
		return err
	}
	defer end()
	fmt.Fprint(to, "elasticctl dev is ready.\n\n")
	if err := a.banner(to, s); err != nil {
		return err
	}
	fmt.Fprint(to, "Ctrl-C ends it.\n\n")
	go func() {
		select {
		case err := <-s.Failed():
			cancel(fmt.Errorf("the store ended: %w", err))
		case <-ctx.Done():
		}
	}()
	if demo {
		fleet := dev.Fleet{
			Command: func(name string) *exec.Cmd { return a.instance(s.URL(), name) },
			Dir:     s.Dir(),
			Tell: func(text string) {
				fmt.Fprintf(to, "%s  %s\n", a.now().Format("15:04:05"), text)
			},
		}
		fleet.Tell(fmt.Sprintf("the demo's instances start: %s", strings.Join(dev.Instances, ", ")))
		if err := fleet.Run(ctx); err != nil {
			return err
		}
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// devAPI serves the HTTP API of the store to this machine, and notes its
// address. end returns when it has ended, which ctx causes.
func (a *app) devAPI(ctx context.Context, s *dev.Server, failed context.CancelCauseFunc) (end func(), err error) {
	listener, err := s.ListenAPI()
	if err != nil {
		return nil, err
	}
	c, err := a.open(ctx, s.URL())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := serveAPI(ctx, listener, adminhttp.Options{
			Admin:    c,
			Identify: adminhttp.Everyone("dev", adminhttp.RoleAdmin),
			Hosts:    adminhttp.Loopback(),
		})
		if err != nil {
			failed(err)
		}
		a.close(ctx, c)
	}()
	return func() { failed(nil); <-ended }, nil
}

// banner prints how to use the store.
func (a *app) banner(to io.Writer, s *dev.Server) error {
	api := ""
	if s.API != "" { // it is not there yet if the other process is just starting
		api = "  API     " + s.APIURL() + "/api/v1\n"
	}
	_, err := fmt.Fprintf(to, `  store   %[1]s
%[3]s  data    %[2]s
          remove that directory, while nothing runs, to begin again

  use it  export ELASTIC_STORE=%[1]s
          elasticctl job ls --watch
          elasticctl worker --jobs jobs.yaml
          elastic.Open(ctx, "%[1]s") in your program

`, s.URL(), s.Dir(), api)
	return err
}

// dataDir returns the directory for the data of programs.
func (a *app) dataDir() (string, error) {
	if dir := a.getenv("XDG_DATA_HOME"); dir != "" {
		return dir, nil
	}
	home := cmp.Or(a.getenv("HOME"), a.getenv("USERPROFILE"))
	if home == "" {
		return "", usage("there is no home directory for the data: say where with --dir, or use --temp")
	}
	return filepath.Join(home, ".local", "share"), nil
}

// instanceCommand is a hidden command: an instance of the demo.
const instanceCommand = "dev-instance"

// instance returns the command of an instance of the demo.
func (a *app) instance(url, name string) *exec.Cmd {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return exec.Command(program, instanceCommand, url, name)
}

func (a *app) newDevInstance() *cobra.Command {
	return &cobra.Command{
		Use:    instanceCommand + " URL NAME",
		Short:  "Run an instance of the demo until the standard input ends",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return dev.Instance(cmd.Context(), args[0], args[1], a.in, log)
		},
	}
}
