//go:build !race

package vtime

func oneProcessor() {}
