package script

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/secret"
	"github.com/elasticjob-go/elastic/store"
)

// prefix begins the names of the variables that describe the run.
const prefix = "ELASTICJOB_"

// Environ returns the environment of this process without the URL and the
// credentials of its store. It is the environment of a script whose Env is nil.
// These variables are left out:
//
//   - ELASTIC_STORE, CONSUL_HTTP_TOKEN, CONSUL_HTTP_AUTH, and names that begin
//     with ETCD_ or ETCDCTL_
//   - variables whose value is the URL of an etcd, a ZooKeeper, a Consul, or of
//     another linked store that is neither a file nor in memory
//   - variables that such a URL, or one that this process has opened, names by
//     password_env, token_env or another parameter that ends in _env
//
// To give a script some of them, add them: AddEnv:
// []string{"ETCDCTL_USER=backup:…"}. To give it all, set Env: os.Environ().
func Environ() []string { return withoutStore(os.Environ()) }

// withoutStore returns an environment without the URL and the credentials of a
// store.
func withoutStore(env []string) []string {
	var named []string
	for _, e := range env {
		_, value, _ := strings.Cut(e, "=")
		if isStoreURL(value) {
			named = append(named, variablesOf(value)...)
		}
	}
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return isStoreName(name) || isStoreURL(value) || slices.Contains(named, name) || secret.IsVariableNoted(name)
	})
}

func isStoreName(name string) bool {
	name = strings.ToUpper(name) // as Windows compares them
	return slices.Contains([]string{"ELASTIC_STORE", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH"}, name) ||
		strings.HasPrefix(name, "ETCD_") || strings.HasPrefix(name, "ETCDCTL_")
}

func isStoreURL(value string) bool {
	scheme, _, found := strings.Cut(strings.TrimSpace(value), "://")
	scheme = strings.ToLower(scheme)
	remote := append(store.Schemes(), "etcd", "zookeeper", "consul")
	return found && scheme != "file" && scheme != "memory" && slices.Contains(remote, scheme)
}

// variablesOf returns the variables that a URL's parameters name.
func variablesOf(storeURL string) (names []string) {
	_, query, _ := strings.Cut(storeURL, "?")
	values, _ := url.ParseQuery(query)
	for parameter, all := range values {
		if strings.HasSuffix(parameter, "_env") {
			names = append(names, all...)
		}
	}
	return names
}

// environ returns the environment of a run. The variables of the store are
// removed for each run, because a store that was opened after New can name a
// variable with its password.
func (h *handler) environ() []string {
	env := h.Env
	if h.inherits {
		env = withoutStore(env)
	}
	return slices.Concat(env, h.AddEnv)
}

// more returns the variables of a run that the program adds. What a script
// can't have is left out: it is no reason not to run it.
func (h *handler) more(ctx context.Context) []string {
	if h.Variables == nil {
		return nil
	}
	return slices.DeleteFunc(withoutRun(h.Variables(ctx)), func(e string) bool {
		return checkEnvironment([]string{e}) != nil
	})
}

// checkEnvironment returns an error unless all variables have the form
// name=value.
func checkEnvironment(env []string) error {
	for _, e := range env {
		name, _, found := strings.Cut(e, "=")
		if !found || strings.ContainsRune(e, 0) {
			shown := name[:min(len(name), 20)]
			return fmt.Errorf("the variable that begins with %q must have the form name=value, without zero bytes", shown)
		}
	}
	return nil
}

// environment returns the part of a script's environment that is the same for
// all runs.
func environment(env []string) []string {
	if env == nil {
		env = Environ()
	}
	return withoutRun(env)
}

// withoutRun returns an environment without the variables that describe a run.
func withoutRun(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, prefix) })
}
