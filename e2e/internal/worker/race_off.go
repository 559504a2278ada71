//go:build !race

package worker

var raceFlag []string
