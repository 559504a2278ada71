package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/spf13/cobra"
)

// app has the settings that the commands of a namespace share.
type app struct {
	in       io.Reader
	asks     bool // stdin is a terminal, and a person answers
	terminal bool // stdout is one, and a person reads it
	open     func(ctx context.Context, url string, options ...admin.Option) (*admin.Client, error)
	now      func() time.Time
	zone     *time.Location
	getenv   func(string) string

	context string // --context
	store   string // --store
	server  string // --server
	timeout time.Duration
	output  string
	watch   bool
	every   time.Duration
}

func newApp(stdout io.Writer) *app {
	a := &app{
		in:     os.Stdin,
		now:    time.Now,
		zone:   time.Local,
		getenv: os.Getenv,
		open:   admin.Open,
	}
	a.asks = isTerminal(os.Stdin)
	if f, ok := stdout.(*os.File); ok {
		a.terminal = isTerminal(f)
	}
	return a
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// interactive reports whether a person can be asked.
func (a *app) interactive() bool { return a.asks }

// commands adds the commands of a namespace.
func (a *app) commands(root *cobra.Command) {
	root.AddCommand(
		a.newJob(),
		a.newShard(),
		a.newInstance(),
		a.newWhy(),
		a.newDoctor(),
		a.newAudit(),
		a.newPause(),
		a.newResume(),
		a.newStore(),
		a.newContext(),
		a.newExplain(),
		a.newVersion(),
		a.newWorker(),
		a.newConsole(),
		a.newToken(),
		a.newDev(),
		a.newDevInstance(),
	)
}

// group returns a command that has others below it, with the flags of all
// commands of a namespace.
func (a *app) group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: group}
	cmd.AddCommand(below...)
	a.flags(cmd)
	return cmd
}

func (a *app) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&a.store, "store", "",
		"the store, as scheme://host[:port]/namespace; otherwise ELASTIC_STORE, or that of the context")
	f.StringVar(&a.server, "server", "",
		"a server of the HTTP API in place of the store, as https://host; otherwise ELASTIC_SERVER")
	f.StringVar(&a.context, "context", "",
		"the context of the configuration; otherwise ELASTIC_CONTEXT, or the current one")
	f.DurationVar(&a.timeout, "timeout", 15*time.Second, "how long to wait for the store")
	f.StringVarP(&a.output, "output", "o", "", "table, wide, json, jsonl, yaml or name; table if not given")
}

// read calls f with a client, once, or again and again with --watch.
func (a *app) read(cmd *cobra.Command, f func(ctx context.Context, c admin.API) (*answer, error)) error {
	format, err := a.format()
	if err != nil {
		return err
	}
	return a.with(cmd, "", func(c admin.API, _ namespace) error {
		once := func() (*answer, error) {
			ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
			defer cancel()
			return f(ctx, c)
		}
		if a.watch {
			return a.keepReading(cmd, format, once)
		}
		answer, err := once()
		if err != nil {
			return err
		}
		return answer.write(cmd.OutOrStdout(), cmd.ErrOrStderr(), format)
	})
}

// with opens the namespace for f, which acts as by; empty: it only reads. A
// server knows who acts by the token.
func (a *app) with(cmd *cobra.Command, by string, f func(c admin.API, t namespace) error) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	if t.Server != "" {
		token, err := a.token(t)
		if err != nil {
			return err
		}
		c, err := adminhttp.NewClient(t.Server, adminhttp.Token(token), adminhttp.Through(admin.ViaCLI))
		if err != nil {
			return usage("%w", err)
		}
		return f(c, t)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
	defer cancel()
	c, err := a.open(ctx, t.Store, admin.As(by), admin.Through(admin.ViaCLI))
	if err != nil {
		return err
	}
	defer a.close(cmd.Context(), c)
	return f(c, t)
}

// close ends a connection, in a short time even if ctx has ended.
func (a *app) close(ctx context.Context, c *admin.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	_ = c.Close(ctx) // the answer is there; a session that does not end by itself has a TTL
}

// farewell bounds how long the end of a connection may take.
const farewell = 2 * time.Second
