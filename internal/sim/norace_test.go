//go:build !race

package sim

// How much the tests run by default. make sim runs more.
const (
	defaultSeeds = 300
	repeated     = 200
	racing       = false
)
