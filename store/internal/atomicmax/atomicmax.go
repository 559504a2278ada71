// Package atomicmax raises atomic counters to a maximum.
package atomicmax

import "cmp"

// Number is one of those of sync/atomic.
type Number[T cmp.Ordered] interface {
	Load() T
	CompareAndSwap(old, new T) bool
}

// Raise sets n to at least v.
func Raise[T cmp.Ordered](n Number[T], v T) {
	for old := n.Load(); old < v && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}
