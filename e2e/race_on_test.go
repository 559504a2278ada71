//go:build race

package e2e

// raceFlag has the workers look for data races when the tests do.
var raceFlag = []string{"-race"}
