//go:build unix

package script_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/store"
)

// A script does not get the URL and the credentials of the store, unless Env
// has them. It gets all other variables.
func TestEnv_HasNoCredentialsOfTheStore(t *testing.T) {
	for name, value := range map[string]string{
		"ELASTIC_STORE":      "memory://S3cr3t",
		"CONSUL_HTTP_TOKEN":  "S3cr3t",
		"ETCD_ROOT_PASSWORD": "S3cr3t",
		"ETCDCTL_USER":       "root:S3cr3t",
		"etcdctl_password":   "S3cr3t",
		"MY_STORE":           "etcd://jobs:S3cr3t@h/ns?password_env=OF_URL",
		"OTHER":              " Consul://h/ns?token=S3cr3t&x_env=OF_URL_2",
		"THIRD":              "zookeeper://a:S3cr3t@h/ns",
		"OF_URL":             "S3cr3t", "OF_URL_2": "S3cr3t", "OF_OPENED": "S3cr3t", "OF_TOKEN": "S3cr3t",
	} {
		t.Setenv(name, value)
	}
	kept := map[string]string{
		"KEPT":               "yes",
		"ELASTIC_APM_SERVER": "kept",
		"DATABASE_URL":       "postgres://h/db",
		"SOCKET":             "file:///run/x",
		"ETC":                "kept",
	}
	for name, value := range kept {
		t.Setenv(name, value)
	}
	// A handler can be made before the store is opened.
	h, out := sh(t, "env")
	if _, err := store.ParseURL("etcd://jobs@h/ns?password_env=OF_OPENED"); err != nil {
		t.Fatal(err)
	}
	store.Register("tokens", store.Driver{
		Open:   func(context.Context, store.Config) (store.Store, error) { return nil, store.ErrUnavailable },
		Params: []string{"token_env"},
	})
	if _, err := store.Open(t.Context(), "tokens://h/ns?token_env=OF_TOKEN"); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(out.get(), "\n"); strings.Contains(all, "S3cr3t") {
		t.Errorf("the script has got\n%s", all)
	}
	for name, value := range kept {
		if !slices.Contains(out.get(), name+"="+value) || !slices.Contains(script.Environ(), name+"="+value) {
			t.Errorf("the script has not got %s", name)
		}
	}
	all, everything := sh(t, "env", func(s *script.Script) { s.Env = os.Environ() })
	if err := all.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ELASTIC_STORE=memory://S3cr3t", "OF_OPENED=S3cr3t"} {
		if !slices.Contains(everything.get(), want) {
			t.Errorf("Env has %s, and the script has not got it", want)
		}
	}
}

// A run with a zero byte in a parameter fails without a retry.
func TestHandle_ZeroByteIsPermanent(t *testing.T) {
	h, out := sh(t, "echo started")
	for _, change := range []func(*string, *string){
		func(p, _ *string) { *p = "a\x00b" },
		func(_, p *string) { *p = "\x00" },
	} {
		zero := shard
		change(&zero.Parameter, &zero.JobParameter)
		err := h.Handle(t.Context(), zero)
		if p := (*engine.Permanent)(nil); !errors.As(err, &p) || !strings.Contains(err.Error(), "zero byte") || len(out.get()) > 0 {
			t.Errorf("got %v and %q", err, out.get())
		}
	}
}

// A script and the handler made of it are printed without arguments and
// environment.
func TestScript_IsPrintedWithoutSecrets(t *testing.T) {
	s := script.Script{Path: "sh", Args: []string{"-c", "true S3cr3t"}, Env: []string{"PASSWORD=S3cr3t"}}
	h, err := script.New(s)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, v := range []any{s, &s, []any{s}, h} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, format+"\n", v)
		}
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		b.Write(asJSON)
		slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("JSON", "v", v)
	}
	if strings.Contains(b.String(), "S3cr3t") {
		t.Errorf("a secret is shown:\n%s", &b)
	}
}

// Variables adds variables to each run. It replaces none that describe the run,
// and what a script can't have is left out.
func TestEnv_AddsVariables(t *testing.T) {
	type key struct{}
	h, out := sh(t, `echo "$TRACEPARENT $ELASTICJOB_JOB $BASE"`, func(s *script.Script) {
		s.AddEnv = []string{"BASE=base"}
		s.Variables = func(ctx context.Context) []string {
			parent := "TRACEPARENT=" + ctx.Value(key{}).(string)
			return []string{parent, "ELASTICJOB_JOB=other", "BASE=more", "bad", "X=a\x00b"}
		}
	})
	if err := h.Handle(context.WithValue(t.Context(), key{}, "00-1"), shard); err != nil {
		t.Fatal(err)
	}
	if want := "00-1 " + shard.Job + " more"; !slices.Equal(out.get(), []string{want}) {
		t.Errorf("got %q, want %q", out.get(), want)
	}
}
