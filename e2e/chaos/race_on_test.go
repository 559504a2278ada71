//go:build race

package chaos

// raceFlag has the workers look for data races when the tests do.
var raceFlag = []string{"-race"}
