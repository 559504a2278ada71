//go:build race

package worker

// raceFlag has the workers look for data races when the tests do.
var raceFlag = []string{"-race"}
