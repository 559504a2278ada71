package integration

// sampleShare is the share of a large table's rows that run under the race
// detector. The rows differ in their data and hardly in their concurrency.
const sampleShare = 5

// sampled reports whether row i of a large table runs. Without the race
// detector all rows run; make race runs this package in both ways.
func sampled(i int) bool { return !raceDetector || i%sampleShare == 0 }

// scaled returns full, or reduced under the race detector.
func scaled(full, reduced int) int {
	if raceDetector {
		return reduced
	}
	return full
}
