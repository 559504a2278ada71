package testharness

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
)

// scores are the results of every driver.
type scores struct {
	mu      sync.Mutex
	results map[string][]conformance.Result
	times   map[string]time.Duration
}

func newScores() *scores {
	return &scores{results: map[string][]conformance.Result{}, times: map[string]time.Duration{}}
}

func (s *scores) add(driver string, results []conformance.Result, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[driver], s.times[driver] = results, took
}

// print writes a table of drivers and groups, in which 3/4 means that three of
// four cases that were run have passed, and then what was not run, and why.
func (s *scores) print(to io.Writer) {
	type count struct{ passed, ran int }
	counts, groups := map[string]map[string]count{}, map[string]bool{}
	missing := map[string]map[string][]string{} // driver, reason, cases
	for d, results := range s.results {
		counts[d], missing[d] = map[string]count{}, map[string][]string{}
		for _, r := range results {
			group, _, _ := strings.Cut(r.Case, "/")
			groups[group] = true
			if r.NotRun != "" {
				missing[d][r.NotRun] = append(missing[d][r.NotRun], r.Case)
				continue
			}
			for _, g := range []string{group, "all"} {
				c := counts[d][g]
				c.ran++
				if r.Passed {
					c.passed++
				}
				counts[d][g] = c
			}
		}
	}
	row := func(name string, cell func(group string) string, last string) {
		fmt.Fprintf(to, "%-12s", name)
		for _, g := range append(slices.Sorted(maps.Keys(groups)), "all") {
			fmt.Fprintf(to, "%8s", cell(g))
		}
		fmt.Fprintf(to, "%7s\n", last)
	}
	row("passed/run", func(g string) string { return g }, "time")
	for _, d := range slices.Sorted(maps.Keys(s.results)) {
		row(d, func(g string) string {
			if c := counts[d][g]; c.ran > 0 {
				return fmt.Sprintf("%d/%d", c.passed, c.ran)
			}
			return "-"
		}, s.times[d].Round(time.Second).String())
	}
	for _, d := range slices.Sorted(maps.Keys(s.results)) {
		for _, why := range slices.Sorted(maps.Keys(missing[d])) {
			slices.Sort(missing[d][why])
			fmt.Fprintf(to, "not run on %s: %s: %s\n", d, strings.Join(missing[d][why], " "), why)
		}
	}
}

func TestScores_TableTellsWhatFailed(t *testing.T) {
	s := newScores()
	s.add("one", []conformance.Result{{
		Case:   "KV/A",
		Passed: true,
	}, {Case: "KV/B"}, {Case: "CLU/C", NotRun: "no servers"}}, 2*time.Second)
	s.add("two", []conformance.Result{{Case: "KV/A", Passed: true}, {Case: "CLU/C", Passed: true}}, time.Second)
	var b strings.Builder
	s.print(&b)
	for _, want := range []string{
		"passed/run       CLU      KV     all   time\n",
		"one                -     1/2     1/2     2s\n",
		"two              1/1     1/1     2/2     1s\n",
		"not run on one: CLU/C: no servers\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("want %q in\n%s", want, b.String())
		}
	}
}
