//go:build !unix

package testservers

import "errors"

var errNoPause = errors.New("this system cannot freeze a process")

// Pause is not possible here.
func (*child) Pause() error { return errNoPause }

// Resume is not possible here.
func (*child) Resume() error { return errNoPause }
