package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/elastictest"
)

// section is a part of a script: a command, and its output.
type section struct{ command, output string }

// readScript reads a file in the form of txtar: text, and sections that begin
// with a line "-- command --".
func readScript(text string) (head string, sections []section) {
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "-- ")
		command, end := strings.CutSuffix(command, " --\n")
		switch {
		case ok && end:
			sections = append(sections, section{command: command})
		case len(sections) == 0:
			head += line
		default:
			sections[len(sections)-1].output += line
		}
	}
	return head, sections
}

// handler fails on shard 2 of mail, and takes an hour for the parameter "slow".
func handler(ctx context.Context, run elastic.Run) error {
	if run.Parameter == "slow" {
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	time.Sleep(1200 * time.Millisecond)
	if run.Job == "mail" && run.Shard == 2 {
		return errors.New("no paper\x1b[2J")
	}
	return nil
}

// newFleet returns a fleet at 00:05:30 on 2000-01-01.
func newFleet(t *testing.T) *elastictest.Cluster {
	c := elastictest.New(t)
	h := elastic.HandlerFunc(handler)
	report := elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 3, Failover: true}
	report.TimeZone = "Asia/Shanghai"
	c.Add(report, h)
	c.Add(elastic.Job{Name: "mail", Schedule: "0 * * * * ?", Shards: 4, Description: "one a minute"}, h)
	c.Add(elastic.Job{Name: "billing", Schedule: "@hourly", Disabled: true}, h)
	c.Add(elastic.Job{Name: "gpu", Schedule: "@daily", Requires: map[string]string{"gpu": "yes"}}, h)
	c.Start("a", "b")
	time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 5, 30, 0, time.UTC)))
	return c
}

// Versions of keys depend on the order of writes of several instances.
var versions = regexp.MustCompile(`version \d+`)

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// play runs a section, and returns its output.
func play(t *testing.T, c *elastictest.Cluster, line string) string {
	t.Helper()
	time.Sleep(10 * time.Millisecond) // so that acts follow each other
	args := fields(line)
	switch args[0] {
	case "sleep":
		d, err := time.ParseDuration(args[1])
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
		return ""
	case "crash":
		c.Crash(args[1])
		return ""
	case "start":
		c.Start(args[1:]...)
		return ""
	case "elasticctl":
	default:
		t.Fatalf("there is no command %q", line)
	}
	var out, errs bytes.Buffer
	a := newApp(&out)
	a.zone = time.UTC
	a.asks = false
	a.getenv = func(name string) string {
		return map[string]string{"ELASTIC_STORE": "memory://x", "ELASTIC_USER": "li"}[name]
	}
	a.open = func(_ context.Context, _ string, options ...admin.Option) (*admin.Client, error) {
		if options[0] == nil {
			options = nil
		}
		return admin.New(c.Server().Connect("elasticctl"), options...)
	}
	args = args[1:]
	if i := len(args) - 2; i >= 0 && args[i] == "<" {
		a.in, a.asks = strings.NewReader(args[i+1]+"\n"), true
		args = args[:i]
	}
	code := execute(t.Context(), a, args, &out, &errs)
	text := out.String()
	for line := range strings.Lines(errs.String()) {
		text += "! " + line
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if code != 0 {
		text += fmt.Sprintf("[exit %d]\n", code)
	}
	if host, err := os.Hostname(); err == nil {
		text = strings.ReplaceAll(text, host, "HOST")
	}
	text = versions.ReplaceAllString(text, "version N")
	return uuids.ReplaceAllString(text, "UUID")
}

// fields splits a line at spaces, but not those within single quotes.
func fields(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

// Every command prints what its script says. -rewrite writes the scripts.
func TestScripts_PrintWhatTheySay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				c := newFleet(t)
				head, sections := readScript(string(text))
				var got strings.Builder
				got.WriteString(head)
				for _, s := range sections {
					fmt.Fprintf(&got, "-- %s --\n%s", s.command, play(t, c, s.command))
				}
				if *rewrite {
					if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				if got.String() != string(text) {
					t.Errorf("got\n%s\nwant\n%s", got.String(), text)
				}
			})
		})
	}
}
