package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// breach is one place that breaks a rule.
type breach struct {
	file string
	line int
	rule string
	text string // what is wrong there
}

func (b breach) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", b.file, b.line, b.rule, b.text)
}

// place is what counts are kept for: a rule in a directory.
type place struct{ dir, rule string }

func (b breach) place() place { return place{path.Dir(b.file), b.rule} }

// count returns the number of breaches of each place.
func count(all []breach) map[place]int {
	counts := map[place]int{}
	for _, b := range all {
		counts[b.place()]++
	}
	return counts
}

// mostShown bounds the breaches that are printed for one place.
const mostShown = 12

// compare prints the breaches of places above their ceiling, and fails if there
// are any. It asks to lower ceilings above the count.
func compare(all []breach, allowed map[place]int, out io.Writer) error {
	counts := count(all)
	above := 0
	for _, p := range sorted(counts) {
		if counts[p] <= allowed[p] {
			continue
		}
		above++
		fmt.Fprintf(out, "%s: %s: %d, the ceiling is %d\n", p.dir, p.rule, counts[p], allowed[p])
		shown := 0
		for _, b := range all {
			if b.place() == p && shown < mostShown {
				fmt.Fprintf(out, "  %s\n", b)
				shown++
			}
		}
	}
	low := 0
	for p, n := range allowed {
		if counts[p] < n {
			low++
		}
	}
	if above > 0 {
		return fmt.Errorf("%d counts are above their ceiling; mend the lines above", above)
	}
	if low > 0 {
		fmt.Fprintf(out, "%d counts are below their ceiling; lower it with: go run ./tools/lint -write\n", low)
	}
	return nil
}

func sorted(counts map[place]int) []place {
	return slices.SortedFunc(maps.Keys(counts), func(a, b place) int {
		return cmp.Or(strings.Compare(a.dir, b.dir), strings.Compare(a.rule, b.rule))
	})
}

const ceilingHead = `# The number of breaches that are left, by directory and rule. It may only
# fall. Written by: go run ./tools/lint -write
`

func writeCeiling(file string, counts map[place]int) error {
	var b bytes.Buffer
	b.WriteString(ceilingHead)
	for _, p := range sorted(counts) {
		fmt.Fprintf(&b, "%s %s %d\n", p.dir, p.rule, counts[p])
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the ceiling: %w", err)
	}
	return nil
}

// readCeiling reads a ceiling file. A place that it does not name may have no
// breach.
func readCeiling(file string) (map[place]int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the ceiling: %w", err)
	}
	allowed := map[place]int{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	var faults []error
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var p place
		var most int
		if _, err := fmt.Sscanf(line, "%s %s %d", &p.dir, &p.rule, &most); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: want DIRECTORY RULE COUNT, got %q", file, n, line))
			continue
		}
		allowed[p] = most
	}
	return allowed, errors.Join(faults...)
}
