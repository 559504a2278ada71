package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic"
)

// lab is what tests ask for beside what a program that is deployed needs.
type lab struct {
	work       time.Duration // what a run takes
	out        string        // a file that takes a line when a run starts and when it ends
	schedulers int           // instances in this process
	clock      string        // a file that says by how much this process's clock is wrong
	fenced     string        // URL of a resource that refuses outdated fences
	deaf       bool          // the work goes on though it is told to stop
	act        bool          // jobs' parameters say what runs do
}

func (l *lab) flags(f *flag.FlagSet) {
	f.DurationVar(&l.work, "work", time.Second, "for tests: how long a run takes")
	f.StringVar(&l.out, "out", "", "for tests: `file` that takes a JSON line when a run starts and when it ends")
	f.IntVar(&l.schedulers, "schedulers", 1, "for tests: how many instances this process is")
	f.StringVar(&l.clock, "clock", "", "for tests: `file` that says by how much this process's clock is wrong, such as -90s; it may change")
	f.StringVar(&l.fenced, "fenced", "", "for tests: `URL` of a resource that each run writes to with its fence, when it starts and when it ends")
	f.BoolVar(&l.act, "act", false, "for tests: the parameter of a job says what its runs do, such as \"take 3s, fail 2\"; -out tells more then")
	f.BoolVar(&l.deaf, "deaf", false, "for tests: the work goes on though it is told to stop")
}

// wrongClock returns a clock that is wrong by what a file says, which it looks at ten times a second until ctx ends.
func wrongClock(ctx context.Context, path string) func() time.Time {
	var by atomic.Int64
	look := func() {
		text, err := os.ReadFile(path)
		if err != nil {
			return // there is none yet: it is right
		}
		if d, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil { // else it is being written
			by.Store(int64(d))
		}
	}
	look()
	go func() { // ends with the process
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			look()
		}
	}()
	return func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
}

// errRefused is the end of a run whose fence is out of date: another instance has taken it over.
var errRefused = errors.New("the resource has seen a greater fence")

// writeFenced writes to the resource in the name of a run. Unlike the work it is not stopped by the end of a context: a zombie that is
// late is what the resource is there for.
func writeFenced(url string, run elastic.Run) error {
	if url == "" {
		return nil
	}
	body := fmt.Sprintf("%s/%d %d %d", run.Job, run.Shard, run.Fence(), os.Getpid())
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("write with fence %s: %w", strconv.FormatUint(run.Fence(), 10), err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusConflict:
		return fmt.Errorf("write with fence %d: %w", run.Fence(), errRefused)
	}
	return fmt.Errorf("write with fence %d: the resource answers %s", run.Fence(), answer.Status)
}
