package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// errOffline means that a module of other people could not be had.
var errOffline = errors.New("a module is neither in the module cache nor at a proxy that answers")

var looksOffline = regexp.MustCompile(`dial tcp|no such host|i/o timeout|module lookup disabled|network is unreachable`)

// command runs programs in a directory, with variables added to the
// environment.
type command struct {
	dir string
	env []string
}

// output runs a program and returns its standard output without the last line
// break.
func (c command) output(name string, args ...string) (string, error) {
	var out, bad bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout = &out
	cmd.Stderr = &bad
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(bad.String())
		if looksOffline.MatchString(text) {
			err = errOffline
		}
		return "", fmt.Errorf("%s %s, in %s: %w\n%s", name, strings.Join(args, " "), c.dir, err, text)
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

func (c command) run(name string, args ...string) error {
	_, err := c.output(name, args...)
	return err
}
