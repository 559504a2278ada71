//go:build race

package worker

// raceFlag builds the workers with the race detector when the tests use it.
var raceFlag = []string{"-race"}
