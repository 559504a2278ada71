//go:build unix

package script_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/observe"
)

// The output of a script is in the log of its run.
func TestScript_OutputIsInTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fail.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho printing\necho no paper >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ring := history.NewRing(0)
	rec := history.New(ring, history.Options{})
	end := func(e observe.Event) {
		if e.Kind == observe.Ended {
			cancel()
		}
	}
	s, err := elastic.Open(ctx, "memory://script-history", elastic.WithHistory(rec), elastic.WithEvents(end))
	if err != nil {
		t.Fatal(err)
	}
	job := elastic.Job{Name: "report", Schedule: "@at " + time.Now().Add(time.Second).Format(time.RFC3339)}
	handler, err := script.New(script.Script{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s.MustAdd(job, handler)
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := rec.Close(context.Background()); err != nil {
		t.Error(err)
	}
	p, err := ring.Runs(context.Background(), history.RunQuery{Namespace: "elastic", Job: "report"})
	if err != nil || len(p.Items) != 1 {
		t.Fatalf("got %+v, %v", p.Items, err)
	}
	l, err := ring.Log(context.Background(), p.Items[0].RunKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Text()
	if err != nil || !strings.Contains(string(text), "printing\n") || !strings.Contains(string(text), "no paper\n") {
		t.Errorf("got %q, %v", text, err)
	}
}
