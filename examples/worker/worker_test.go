package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
)

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if key, value, _ := strings.Cut(p, "="); key == name {
				return value, true
			}
		}
		return "", false
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	env := environment("ELASTIC_STORE=memory://env", "ELASTIC_JOB=env", "ELASTIC_SHARDS=7", "ELASTIC_MAX_ATTEMPTS=5", "ELASTIC_FAILOVER=false", "ELASTIC_MISFIRE=all")
	c, err := parse([]string{"-job", "flag", "-shards=2", "-drain", "3s"}, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.job.Name != "flag" || c.job.Shards != 2 || c.drain != 3*time.Second {
		t.Errorf("got %+v, want what the flags say", c)
	}
	if c.store != "memory://env" || c.job.MaxAttempts != 5 || c.job.Failover || c.job.Misfire != elastic.MisfireAll {
		t.Errorf("got %+v, want what the environment says", c)
	}
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := parse([]string{"-schedule", "whenever", "-log", "xml", "more"}, environment("ELASTIC_SHARDS=many"), io.Discard)
	for _, want := range []string{"ELASTIC_SHARDS", "ELASTIC_STORE", "schedule", "xml", `"more"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %s", err, want)
		}
	}
}

func TestHelpNamesEveryFlagAndItsVariable(t *testing.T) {
	var text bytes.Buffer
	if _, err := parse([]string{"-h"}, environment(), &text); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("got %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{"-store", "-schedule", "-drain", "ELASTIC_"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("there is no %s in:\n%s", want, &text)
		}
	}
}

func TestJobsCanComeFromAFile(t *testing.T) {
	c, err := parse([]string{"-store", "memory://file", "-jobs", "jobs.yaml"}, environment(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.open(t.Context(), elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.scheduler.Close()
	for _, job := range []string{"collect", "report"} {
		if err := s.scheduler.Unregister(job); err != nil {
			t.Errorf("it does not take part in %s of jobs.yaml: %v", job, err)
		}
	}
	c.jobs = "none.yaml"
	if s, err := c.open(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is not there: got %v, %v", s, err)
	}
}

func TestAClockIsWrongByWhatItsFileSaysAtTheMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	now := wrongClock(t.Context(), path)
	for _, by := range []time.Duration{0, time.Hour, -30 * time.Second} {
		if by != 0 {
			if err := os.WriteFile(path, []byte(by.String()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		right := func() bool { return now().Sub(time.Now().Add(by)).Abs() < time.Second }
		for deadline := time.Now().Add(10 * time.Second); !right() && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		}
		if !right() {
			t.Errorf("the clock is wrong by %s, want %s", time.Until(now()), by)
		}
	}
}
