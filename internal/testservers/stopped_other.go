//go:build !linux

package testservers

// awaitStopped does nothing where there is no way to see it.
func awaitStopped(int) {}
