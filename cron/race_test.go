//go:build race

package cron

// raceEnabled thins out the exhaustive tests, which the race detector makes ten
// times slower and which start nothing.
const raceEnabled = true
