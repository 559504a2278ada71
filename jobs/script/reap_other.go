//go:build !linux

package script

// reap does nothing: no program is the first process of a container here.
func reap(int) {}
