//go:build !race

package integration

// raceDetector reports whether the tests run under the race detector, in which
// they are about ten times slower.
const raceDetector = false
