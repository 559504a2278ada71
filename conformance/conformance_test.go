package conformance

import (
	"regexp"
	"slices"
	"testing"
)

func TestCases_HaveUniqueNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.name] || !regexp.MustCompile(`^[A-Z]{2,3}/[A-Z0-9]\w+$`).MatchString(c.name) {
			t.Errorf("case %q: want a name of its own, in the form GRP/Claim", c.name)
		}
		seen[c.name] = true
		if (slices.Contains(c.needs, Compact) || slices.Contains(c.needs, Restart)) && !c.alone {
			t.Errorf("case %s disturbs other namespaces and does not run alone", c.name)
		}
	}
}

func TestAttempt_NotesFirstFailureAndCleansUp(t *testing.T) {
	var order []int
	a := try(t, &mutantHarness{mutant: mutants[0]}, testCase{run: func(t *test) {
		t.Cleanup(func() { order = append(order, 2) })
		t.Cleanup(func() { order = append(order, 1); t.Cleanup(func() { order = append(order, 11) }) })
		t.Errorf("first")
		t.Fatalf("second")
		order = append(order, 0)
	}})
	if !a.Failed() || !regexp.MustCompile(`^conformance_test.go:\d+: first$`).MatchString(a.failure) {
		t.Errorf("complaint: got %q, want the first with its line", a.failure)
	}
	if !slices.Equal(order, []int{1, 11, 2}) {
		t.Errorf("cleanups ran in the order %v", order)
	}
	if a := try(t, &mutantHarness{mutant: mutants[0]}, testCase{run: func(*test) { panic("oh") }}); !a.Failed() {
		t.Error("a panic passes")
	}
}
