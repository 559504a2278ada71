package elasticjob

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A golden file has sections, which begin with a line "-- name". The section
// tree is a job:
//
//	now 2026-07-01T20:36:39Z
//	config
//	  cron: 0/10 * * * * ?
//	instances/10.0.0.1@-@1 session=0x1 c=10 age=1h
//	sharding/0/running c=12 age=43s = 10.0.0.1@-@7
//
// c is the transaction that created the node, age how long ago that was, and
// the text after " = " the value. A value of several lines follows indented.
func readGolden(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	name := ""
	for line := range strings.Lines(string(text)) {
		if head, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSpace(head)
			sections[name] = ""
			continue
		}
		sections[name] += line
	}
	return sections
}

// parseTree reads the section tree.
func parseTree(t *testing.T, text string) *Snapshot {
	t.Helper()
	s := &Snapshot{Job: "demo", Nodes: map[string]*Node{"": {Data: "com.acme.MyJob"}}}
	var last *Node
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if more, ok := strings.CutPrefix(line, "  "); ok {
			last.Data += more + "\n"
			continue
		}
		head, value, _ := strings.Cut(line, " = ")
		words := strings.Fields(head)
		if words[0] == "now" {
			at, err := time.Parse(time.RFC3339, words[1])
			if err != nil {
				t.Fatal(err)
			}
			s.At = at
			continue
		}
		if words[0] == "unread" {
			s.Unread = append(s.Unread, Unread{words[1], value})
			continue
		}
		last = &Node{Data: value, Stat: Stat{Czxid: 1, Created: s.At.Add(-time.Hour)}}
		for _, word := range words[1:] {
			key, text, _ := strings.Cut(word, "=")
			switch key {
			case "c":
				last.Stat.Czxid = int64(number(t, text))
			case "v":
				last.Stat.Version = int32(number(t, text))
			case "session":
				last.Stat.Session = int64(number(t, text))
			case "age":
				age, err := time.ParseDuration(text)
				if err != nil {
					t.Fatal(err)
				}
				last.Stat.Created = s.At.Add(-age)
			default:
				t.Fatalf("line %q: no attribute %q", line, key)
			}
		}
		last.Stat.Modified = last.Stat.Created
		path := words[0]
		if path == "." {
			path = ""
		}
		s.Nodes[path] = last
	}
	return s
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// told is findings as the golden files have them.
func told(findings []*Finding) string {
	var b strings.Builder
	for _, f := range findings {
		shard := "-"
		if f.Shard != nil {
			shard = fmt.Sprint(*f.Shard)
		}
		fmt.Fprintf(&b, "%s shard %s, %s: %s\n", f.Rule, shard, f.Class, f.What)
		for _, why := range f.Why {
			fmt.Fprintf(&b, "  because %s\n", why)
		}
		if !f.Fire.IsZero() {
			fmt.Fprintf(&b, "  fire %s\n", f.Fire.Format(time.RFC3339))
		}
		if f.Frees != "" {
			fmt.Fprintf(&b, "  frees: %s\n", f.Frees)
		}
		if f.Waits != "" {
			fmt.Fprintf(&b, "  waits: %s\n", f.Waits)
		}
	}
	return b.String()
}
