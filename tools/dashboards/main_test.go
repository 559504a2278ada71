package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The files in the repository are up to date.
func TestFiles_AreUpToDate(t *testing.T) {
	for path, want := range files() {
		got, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the tool writes (%v); run: go run ./tools/dashboards", path, err)
		}
	}
}
