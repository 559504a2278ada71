// Package conformance checks that a store driver keeps the contract of package
// store: one file for each promise, one line for each driver.
//
//	func TestConformance(t *testing.T) { conformance.Run(t, harness{}) }
//
// It needs the standard library, package store, and Porcupine, which needs
// nothing itself: a driver can be written and checked outside of this module.
// It runs against real servers, in real time.
//
// The abilities of a backend ([store.Caps]) change what a case asserts, never
// whether it runs. Cases that need a [Fault] which the harness cannot cause are
// skipped and listed at the end, with the reason that the harness gives.
//
// Most cases wait most of the time: -parallel 8 makes it quicker.
//
// A case that fails prints its seed, its last calls, and the content of the
// store. ELASTIC_TEST_SEED set to the seed draws the same again. A case that
// fails while the process was paused, as on an overloaded machine, runs again.
//
// docs/design/conformance.md names the case for each lesson, and what is left
// out.
package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Harness gives the suite something to test.
type Harness interface {
	// New returns an empty namespace for the caller alone. It is called at
	// least once for each case, by cases that run at the same time. All
	// namespaces may be on one server. Use t.Cleanup to remove what must be
	// removed.
	New(t testing.TB) Namespace

	// Lacks names the faults that a Namespace does not implement, each with the
	// reason. A fault that is neither implemented nor named fails the suite.
	Lacks() map[Fault]string
}

// Namespace is one namespace of a store. It may implement Expirer, Cutter,
// Compacter, Restarter, Pauser, Wirer and Budgeter besides.
type Namespace interface {
	// Open opens another store on the namespace, with its own connections: it
	// stands for another process. It can return a *store.Portable or the bare
	// driver, which the suite then wraps in one. The suite closes it.
	Open(t testing.TB) store.Store
}

// testCase is one claim about a driver.
type testCase struct {
	name  string // group, slash, claim
	run   func(t *test)
	needs []Fault
	alone bool // it disturbs others, or others disturb it
}

// cases is the suite, in the order of its files.
func cases() []testCase {
	return slices.Concat(
		reads(),
		commits(),
		sessions(),
		ephemerals(),
		watches(),
		watchCalls(),
		watchFaults(),
		lists(),
		digests(),
		names(),
		sizes(),
		contexts(),
		linear(),
		leaks(),
		restarts(),
		pauses(),
		wires(),
		clusters(),
		credentials(),
		budgets(),
	)
}

// Result is how a case ended.
type Result struct {
	Case   string // group, slash, claim
	Passed bool
	NotRun string // why it was not run; empty if it was
	Took   time.Duration
}

// Run runs all cases as subtests of t, named group/claim, such as
// WAT/FirstIsReset. It calls each of told with the result of each case, from
// the goroutine of that case.
func Run(t *testing.T, h Harness, told ...func(Result)) {
	lacks := h.Lacks()
	sample := h.New(t)
	for _, f := range faults {
		if !has(h, sample, f) && lacks[f] == "" {
			t.Errorf("the harness implements no %s, and Lacks does not say why", f)
		}
	}

	stalls := watchForStalls(t)
	var mu sync.Mutex // guards what the cases that run at once say of themselves
	notRun := map[string]string{}
	t.Cleanup(func() {
		for _, name := range slices.Sorted(maps.Keys(notRun)) {
			t.Logf("not run: %s: %s", name, notRun[name])
		}
	})
	for _, c := range cases() {
		var missing []string
		for _, f := range c.needs {
			if !has(h, sample, f) {
				missing = append(missing, fmt.Sprintf("no %s: %s", f, lacks[f]))
			}
		}
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			result := Result{Case: c.name, NotRun: strings.Join(missing, "; ")}
			defer func() {
				if result.NotRun != "" {
					mu.Lock()
					notRun[c.name] = result.NotRun
					mu.Unlock()
				}
				result.Passed, result.Took = !t.Failed() && result.NotRun == "", time.Since(start)
				for _, f := range told {
					f(result)
				}
			}()
			if result.NotRun != "" {
				t.Skip(result.NotRun)
			}
			if !c.alone {
				t.Parallel()
				start = time.Now()
			}
			a := run(t, h, c, stalls)
			switch {
			case a.Failed():
				t.Fatal(a.failure + a.report)
			case a.Skipped():
				result.NotRun = a.reason()
				t.SkipNow()
			}
		})
	}
}
