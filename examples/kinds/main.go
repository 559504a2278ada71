// Kinds runs jobs whose work is not in Go: a script, and calls of a URL; and a job that fails, about which an alarm is sent.
//
//	go run ./examples/kinds
//	go run ./examples/kinds -for 1m
//
// The service that is called, and where alarms go, is a small web server in this process. A shell is needed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

func main() {
	length := flag.Duration("for", 5*time.Second, "how long to run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kinds:", err)
		os.Exit(1)
	}
}

// run runs the jobs until ctx ends.
func run(ctx context.Context, to io.Writer) (err error) {
	out := &lines{to: to}
	service, stop, err := serve(out)
	if err != nil {
		return err
	}
	defer stop()

	alarms, err := alarm.Start(alarm.Config{
		Name:    "kinds",
		Targets: []alarm.Target{alarm.Webhook{URL: service + "/alarm", Template: `{{.Title}}`, ContentType: "text/plain"}},
		OnError: func(err error) { out.print("%v", err) },
	})
	if err != nil {
		return err
	}
	defer func() {
		within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, alarms.Close(within))
	}()

	scheduler, err := elastic.Open(ctx, "memory://kinds", elastic.WithEvents(alarms.Observe))
	if err != nil {
		return err
	}
	if err := add(scheduler, service, out); err != nil {
		return errors.Join(err, scheduler.Close())
	}
	return scheduler.Run(ctx)
}

// add gives the scheduler its jobs.
func add(scheduler *elastic.Scheduler, service string, out *lines) error {
	// Everything about a run comes by environment. Quoted, a parameter is data whatever is in it.
	backup, err := script.New(script.Script{
		Path:   "sh",
		Args:   []string{"-c", `echo "part $ELASTICJOB_SHARD of $ELASTICJOB_TOTAL: $ELASTICJOB_PARAMETER"`},
		Output: func(run elastic.Run, line string) { out.print("script %s: %s", run.Job, line) },
	})
	if err != nil {
		return err
	}
	broken, err := script.New(script.Script{Path: "sh", Args: []string{"-c", "echo no space left >&2; exit 3"}})
	if err != nil {
		return err
	}
	call, err := httpcall.New(httpcall.Request{
		Method:  "POST",
		URL:     service + "/report/{shard}?of={total}",
		Headers: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "{key}"},
		Body:    `{"region": "{parameter}", "attempt": {attempt}}`,
		Allow:   httpcall.Loopback(), // else only public addresses are called
	})
	if err != nil {
		return err
	}
	parts := map[int]string{0: "north & south", 1: `"quoted" $(date)`}
	const everySecond = "* * * * * ?"
	return errors.Join(
		scheduler.Add(elastic.Job{Name: "backup", Schedule: everySecond, Shards: 2, ShardParameters: parts, Timeout: time.Minute}, backup),
		scheduler.Add(elastic.Job{Name: "report", Schedule: everySecond, Shards: 2, ShardParameters: parts, Timeout: time.Minute}, call),
		scheduler.Add(elastic.Job{Name: "broken", Schedule: everySecond}, broken),
	)
}

// serve answers calls until stop is called.
func serve(out *lines) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /report/{part}", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		out.print("call: part %s of %s: %s", r.PathValue("part"), r.FormValue("of"), body)
	})
	mux.HandleFunc("POST /alarm", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		out.print("alarm: %s", body)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	return "http://" + l.Addr().String(), func() {
		server.Close()
		serving.Wait()
	}, nil
}

// lines is written to from many goroutines.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) print(format string, a ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.to, format+"\n", a...)
}
