package main

import (
	"bytes"
	"fmt"
	"regexp"
)

// counts are numbers of tests; subtests count.
type counts struct{ passed, failed, skipped int }

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
}

// testsLine is the last line of `stages gotest`.
const testsLine = "tests: %d passed, %d failed, %d skipped"

var isTestsLine = regexp.MustCompile(`^tests: \d+ passed, \d+ failed, \d+ skipped$`)

// counter sums the lines of `stages gotest` that pass through it.
type counter struct {
	counts counts
	line   []byte // what came of a line that has not ended
}

func (c *counter) Write(p []byte) (int, error) {
	rest := p
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			c.line = append(c.line, rest...)
			return len(p), nil
		}
		c.line = append(c.line, rest[:i]...)
		c.flush()
		rest = rest[i+1:]
	}
}

// flush counts the line that has come so far.
func (c *counter) flush() {
	if isTestsLine.Match(c.line) {
		var d counts
		if _, err := fmt.Sscanf(string(c.line), testsLine, &d.passed, &d.failed, &d.skipped); err == nil {
			c.counts.add(d)
		}
	}
	c.line = c.line[:0]
}
