package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/elasticjob-go/elastic/store"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// config is the file of contexts.
type config struct {
	Current  string               `yaml:"current,omitempty"`
	Contexts map[string]namespace `yaml:"contexts,omitempty"`
}

// namespace is the one that a context names.
type namespace struct {
	// Store is the URL of a store, or Server that of a server of the HTTP API,
	// with a file that holds the token for it.
	Store     string `yaml:"store,omitempty"`
	Server    string `yaml:"server,omitempty"`
	TokenFile string `yaml:"token_file,omitempty"`

	// Protected raises the confirmation of each act by a level.
	Protected bool `yaml:"protected,omitempty"`
}

// target returns where the command acts: flags win over the environment, and
// that over the file.
func (a *app) target() (namespace, error) {
	given := 0
	for _, flag := range []string{a.store, a.server, a.context} {
		if flag != "" {
			given++
		}
	}
	if given > 1 {
		return namespace{}, usage("--store, --server and --context exclude each other")
	}
	name := a.context
	if name == "" {
		store, server := a.store, a.server
		if given == 0 {
			store, server = a.getenv("ELASTIC_STORE"), a.getenv("ELASTIC_SERVER")
		}
		switch {
		case store != "" && server != "":
			return namespace{}, usage("ELASTIC_STORE and ELASTIC_SERVER exclude each other")
		case store != "" || server != "":
			return namespace{Store: store, Server: server}, nil
		}
		name = a.getenv("ELASTIC_CONTEXT")
	}
	c, err := a.readConfig()
	if err != nil {
		return namespace{}, err
	}
	if name = cmp.Or(name, c.Current); name == "" {
		return namespace{}, usage("say which store: --store URL or --server URL, " +
			"the variable ELASTIC_STORE or ELASTIC_SERVER, " +
			"or a context that `elasticctl context set` and `elasticctl context use` made current")
	}
	t, ok := c.Contexts[name]
	if !ok {
		return namespace{}, usage("there is no context %.60q; there are: %s", name,
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(c.Contexts)), ", "), "none"))
	}
	if (t.Store == "") == (t.Server == "") {
		return namespace{}, usage(
			"the context %q must have either a store or a server; run: elasticctl context set %s --store URL",
			name,
			name,
		)
	}
	return t, nil
}

// token returns the token for a server: that of the environment, or of the
// context's file. It can be empty.
func (a *app) token(t namespace) (string, error) {
	if token := a.getenv("ELASTIC_TOKEN"); token != "" {
		return token, nil
	}
	file := cmp.Or(a.getenv("ELASTIC_TOKEN_FILE"), t.TokenFile)
	if file == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		file = filepath.Join(cmp.Or(a.getenv("HOME"), a.getenv("USERPROFILE")), rest)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usage("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// configFile returns the path of the file of contexts.
func (a *app) configFile() (string, error) {
	dir := a.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := cmp.Or(a.getenv("HOME"), a.getenv("USERPROFILE"))
		if home == "" {
			return "", usage("there is no home directory for the contexts: set XDG_CONFIG_HOME, or use --store")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "elasticctl", "config.yaml"), nil
}

func (a *app) readConfig() (config, error) {
	var c config
	file, err := a.configFile()
	if err != nil {
		return c, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, usage("read the contexts: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return c, usage("read the contexts: %s: %w", file, err)
	}
	if c.holdsSecret() {
		info, err := os.Stat(file)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			return c, usage("%s holds a password and others can read it; run: chmod 600 %s", file, file)
		}
	}
	return c, nil
}

// holdsSecret reports whether a URL has a password in it.
func (c config) holdsSecret() bool {
	for _, t := range c.Contexts {
		if hasPassword(t.Store) {
			return true
		}
	}
	return false
}

func hasPassword(store string) bool {
	u, err := url.Parse(store)
	if err != nil {
		return true // not to be told apart
	}
	_, in := u.User.Password()
	return in
}

func (a *app) writeConfig(c config) error {
	file, err := a.configFile()
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	// A new file in its place: one that is half written is never read.
	temporary := file + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return nil
}

func (a *app) newContext() *cobra.Command {
	var t namespace
	ls := &cobra.Command{
		Use:   "ls",
		Short: "List the contexts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			rows := &table{head: []string{"", "NAME", "STORE OR SERVER", "PROTECTED"}}
			for _, name := range slices.Sorted(maps.Keys(c.Contexts)) {
				mark := ""
				if name == c.Current {
					mark = "*"
				}
				n := c.Contexts[name]
				rows.add(mark, name, cmp.Or(n.Server, store.Redact(n.Store)), yesNo(n.Protected))
			}
			return rows.write(cmd.OutOrStdout(), false)
		},
	}
	use := &cobra.Command{
		Use:   "use NAME",
		Short: "Make a context the current one",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			if _, ok := c.Contexts[args[0]]; !ok {
				return &exitError{exitNotFound, fmt.Errorf("there is no context %.60q", args[0])}
			}
			c.Current = args[0]
			return a.writeConfig(c)
		},
	}
	set := &cobra.Command{
		Use:   "set NAME --store URL|--server URL [--token-file FILE] [--protected]",
		Short: "Add a context, or replace it",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if (t.Store == "") == (t.Server == "") {
				return usage("say which store: either --store URL or --server URL")
			}
			if t.Server != "" {
				if _, err := adminhttp.NewClient(t.Server); err != nil {
					return usage("--server: %w", err)
				}
			}
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			if c.Contexts == nil {
				c.Contexts = map[string]namespace{}
			}
			c.Contexts[args[0]] = t
			c.Current = cmp.Or(c.Current, args[0])
			return a.writeConfig(c)
		},
	}
	set.Flags().StringVar(&t.Store, "store", "",
		"the store; keep passwords out of it with ?password_file= or ?password_env=")
	set.Flags().StringVar(&t.Server, "server", "", "a server of the HTTP API, in place of the store")
	set.Flags().StringVar(&t.TokenFile, "token-file", "", "the file with the token for the server")
	set.Flags().BoolVar(&t.Protected, "protected", false, "ask once more before each act")
	rm := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a context",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			if _, ok := c.Contexts[args[0]]; !ok {
				return &exitError{exitNotFound, fmt.Errorf("there is no context %.60q", args[0])}
			}
			delete(c.Contexts, args[0])
			if c.Current == args[0] {
				c.Current = ""
			}
			return a.writeConfig(c)
		},
	}
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Name stores, so that commands need no URL",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(ls, use, set, rm)
	return cmd
}
