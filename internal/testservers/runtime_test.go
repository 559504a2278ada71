package testservers

import (
	"errors"
	"strings"
	"testing"
)

// engine is a container runtime as far as choosing one goes.
type engine struct {
	local
	err error
}

func (e engine) Check() (string, error) { return "an engine", e.err }

func TestRuntime_PrefersContainers(t *testing.T) {
	well, dead := engine{}, engine{err: errors.New("no answer")}
	for _, row := range []struct {
		wanted     string
		containers Runtime
		want       Runtime
		says       string
	}{
		{"", nil, local{}, "not linked in"},
		{"", well, well, "an engine"},
		{"", dead, local{}, "no answer"},
		{"process", well, local{}, "ELASTIC_TEST_RUNTIME says so"},
		{"docker", well, well, "an engine"},
		{"docker", dead, nil, "no answer"},
		{"docker", nil, nil, "internal/testharness"},
		{"podman", well, nil, "want docker, process, or nothing"},
	} {
		got, about, err := choose(row.wanted, row.containers)
		if err != nil {
			about = err.Error()
		}
		if got != row.want || !strings.Contains(about, row.says) {
			t.Errorf(
				"wanted %q with %v: got %v, %q; want %v and %q",
				row.wanted, row.containers, got, about, row.want, row.says,
			)
		}
	}
}
