//go:build race

package sim

// One step comes after another here, so there are no races to be seen, and the detector makes everything many times slower.
const (
	defaultSeeds = 10
	repeated     = 3
	racing       = true
)
