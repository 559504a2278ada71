//go:build unix

package script_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// The environment describes the run to a shell. In quotes, the parameter is
// data whatever it is.
func ExampleNew() {
	handler, err := script.New(script.Script{
		Path:   "sh",
		Args:   []string{"-c", `echo "backup of $ELASTICJOB_PARAMETER, part $ELASTICJOB_SHARD of $ELASTICJOB_TOTAL"`},
		Output: func(run elastic.Run, line string) { fmt.Println(run.Job+":", line) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sh := elastic.Run{Job: "backup", Shard: 0, Shards: 3, Parameter: "$(rm -rf /)"}
	fmt.Println(handler.Handle(context.Background(), sh))
	// Output:
	// backup: backup of $(rm -rf /), part 0 of 3
	// <nil>
}

// The error of a script that fails ends with its output.
func ExampleNew_failure() {
	handler, err := script.New(script.Script{Path: "/bin/sh", Args: []string{"-c", `echo "no space left" >&2; exit 3`}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "backup"}))
	// Output:
	// script /bin/sh: exit status 3; its output ends with: no space left
}

// Log returns an Output that writes to a logger.
func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	handler, err := script.New(script.Script{Path: "sh", Args: []string{"-c", "echo done"}, Output: script.Log(logger)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "backup", Shard: 1, Trigger: 7}))
	// Output:
	// level=INFO msg=script job=backup shard=1 key=backup/1/trigger-7 output=done
	// <nil>
}

// A script gets no credentials of the store unless the program adds them.
func ExampleEnviron() {
	os.Setenv("ETCDCTL_USER", "root:secret")
	defer os.Unsetenv("ETCDCTL_USER")
	_, err := script.New(script.Script{
		Path: "/bin/sh",
		Args: []string{"-c", "etcdctl snapshot save /backup/etcd.db"},
		Env:  append(script.Environ(), "ETCDCTL_USER=backup:"+os.Getenv("BACKUP_PASSWORD")),
	})
	fmt.Println(err, slices.Contains(script.Environ(), "ETCDCTL_USER=root:secret"))
	// Output: <nil> false
}
