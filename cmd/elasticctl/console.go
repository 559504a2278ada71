package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/spf13/cobra"
)

const consoleLong = `Serve the HTTP API of a namespace.

Without --tokens, only this machine can reach it, and everyone on it may read.
With --tokens, callers send a bearer token of the file; elasticctl token new
makes one. The API is described by /api/v1/openapi.json.`

func (a *app) newConsole() *cobra.Command {
	var listen, tokens string
	cmd := &cobra.Command{
		Use:     "console",
		Short:   "Serve the HTTP API of a namespace",
		Long:    consoleLong,
		Example: "  elasticctl console --listen :7080 --tokens tokens.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := adminhttp.Options{Log: a.logTo(cmd.ErrOrStderr())}
			if tokens == "" {
				options.Identify = adminhttp.Everyone("this machine", adminhttp.RoleRead)
				options.Hosts = adminhttp.Loopback()
			} else {
				t, err := adminhttp.LoadTokens(tokens, func(err error) {
					options.Log.Error("the tokens were not read", "error", err)
				})
				if err != nil {
					return usage("%w", err)
				}
				options.Identify = t.Identify
			}
			listener, err := adminhttp.Listen(listen, tokens != "")
			if err != nil {
				return usage("%w", err)
			}
			t, err := a.target()
			if err == nil && t.Store == "" {
				err = usage("the API needs a store: --store URL, or a context that has one")
			}
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
			defer cancel()
			options.Admin, err = a.open(ctx, t.Store)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			defer a.close(cmd.Context(), options.Admin)
			fmt.Fprintf(cmd.ErrOrStderr(), "serving http://%s/api/v1; Ctrl-C ends it\n", listener.Addr())
			return serveAPI(cmd.Context(), listener, options)
		},
	}
	f := cmd.Flags()
	a.flags(cmd)
	f.StringVar(&listen, "listen", "127.0.0.1:7080", "the address")
	f.StringVar(&tokens, "tokens", "", "a file of tokens; without it only this machine can reach the API")
	return cmd
}

// farewellHTTP is how long requests get to end.
const farewellHTTP = 5 * time.Second

// serveAPI serves the API until ctx ends. It closes the listener.
func serveAPI(ctx context.Context, listener net.Listener, options adminhttp.Options) error {
	h, err := adminhttp.New(options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := adminhttp.NewServer(h)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellHTTP)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		_ = server.Close() // requests that did not end in time
	}
	return nil
}

func (a *app) newToken() *cobra.Command {
	var role, file string
	var lasts time.Duration
	var jobs []string
	add := &cobra.Command{
		Use:     "new NAME",
		Short:   "Make a token for the API",
		Long:    "Make a token and add its hash to a file. The token is printed once, on standard output.",
		Example: "  elasticctl token new li --role operate --file tokens.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var expires time.Time
			switch {
			case lasts < 0:
				return usage("--expires %v: want a time from now, such as 720h", lasts)
			case lasts > 0:
				expires = a.now().Add(lasts).UTC().Truncate(time.Second)
			}
			secret, entry, err := adminhttp.NewToken(args[0], adminhttp.Role(role), expires, jobs...)
			if err != nil {
				return usage("%w", err)
			}
			if err := addToken(file, entry); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "its hash is in %s; the token itself is shown only now:\n", file)
			_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
			return err
		},
	}
	f := add.Flags()
	f.StringVar(&role, "role", "read", "read, operate or admin")
	f.StringVar(&file, "file", "tokens.yaml", "the file of tokens")
	f.DurationVar(&lasts, "expires", 0, "how long it is valid; 0 means for ever")
	f.StringSliceVar(&jobs, "jobs", nil, "patterns of the jobs that it may change; none means all")
	cmd := &cobra.Command{Use: "token", Short: "Make tokens for the API", Args: cobra.ArbitraryArgs, RunE: group}
	cmd.AddCommand(add)
	return cmd
}

// addToken adds an entry to a file of tokens. The file stays as it was if the
// result could not be read.
func addToken(file, entry string) error {
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		old = []byte("tokens:\n")
	case err != nil:
		return fmt.Errorf("add the token: %w", err)
	}
	text := strings.TrimRight(string(old), "\n") + "\n" + entry
	temporary := file + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return fmt.Errorf("add the token: %w", err)
	}
	if _, err := adminhttp.LoadTokens(temporary, nil); err != nil {
		return errors.Join(usage("add the token to %s: %w", file, err), os.Remove(temporary))
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("add the token: %w", err)
	}
	return nil
}

func (a *app) logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
