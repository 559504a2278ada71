//go:build !linux

package servers

// awaitStopped does nothing where there is no way to see it.
func awaitStopped(int) {}
