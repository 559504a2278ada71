package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write puts text into a file in place.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// join is a parser that takes two texts that end alike.
func join(texts [][]byte) (string, error) {
	if !bytes.HasSuffix(texts[0], texts[1][len(texts[1])-1:]) {
		return "", errors.New("don't fit")
	}
	return string(texts[0]) + "+" + string(texts[1]), nil
}

// The value is that of the files, in whichever way they were replaced.
func TestValue_FollowsEachKindOfChange(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	write(t, file, "one\n")
	s, err := SecretFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := func(text string) {
		t.Helper()
		if got := s.Get(); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	want("one")

	// Written in place with the size and the times of before.
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "two\n")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	want("two")

	// Renamed over the old file.
	write(t, file+".new", "three")
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	want("three")

	// As Kubernetes mounts a secret: the file is a link into a directory,
	// which is a link that is replaced.
	for i, text := range []string{"four", "five"} {
		version := filepath.Join(dir, fmt.Sprintf("..v%d", i))
		if err := os.Mkdir(version, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(version, "secret"), text)
		if err := os.Symlink(version, filepath.Join(dir, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			os.Remove(file)
			if err := os.Symlink(filepath.Join("..data", "secret"), file); err != nil {
				t.Fatal(err)
			}
		}
		want(text)
	}
}

// While the files can't be read or don't fit each other the old value serves.
func TestValue_KeepsTheLastGoodOne(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "a1")
	write(t, b, "b1")
	v, err := New(join, a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what  string
		do    func()
		want  string
		fault string
	}{
		{"nothing", func() {}, "a1+b1", ""},
		{"one of a pair written", func() { write(t, a, "a2") }, "a1+b1", "don't fit"},
		{"the other, too", func() { write(t, b, "b2") }, "a2+b2", ""},
		{"a file removed", func() { os.Remove(b) }, "a2+b2", "no such file"},
		{"a directory in its place", func() { os.Mkdir(b, 0o700) }, "a2+b2", ""},
		{"a file again", func() { os.Remove(b); write(t, b, "c2") }, "a2+c2", ""},
		{"too large a file", func() { os.Truncate(b, maxSize+1) }, "a2+c2", "larger than"},
		{"the old content", func() { write(t, b, "c2") }, "a2+c2", ""},
	} {
		step.do()
		got, fault := v.Get(), v.Fault()
		if got != step.want {
			t.Errorf("%s: got %.20q, want %q", step.what, got, step.want)
		}
		if (fault == nil) != (step.fault == "") || fault != nil && !strings.Contains(fault.Error(), step.fault) {
			t.Errorf("%s: got the fault %v, want %q", step.what, fault, step.fault)
		}
	}
}

// An empty file is an error at first, and no new secret later.
func TestSecret_IsNeverEmpty(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "\r\n")
	if _, err := SecretFile(file); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	write(t, file, "old")
	s, err := SecretFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "")
	if got := s.Get(); got != "old" {
		t.Errorf("while the file is being written: %q, want the old secret", got)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, "old") {
			t.Errorf("%s shows the secret: %s", format, text)
		}
	}
}

// A file system that hangs delays a reader by a second at most.
func TestValue_WaitsForNoFileSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "old")
	hang, release := make(chan bool, 3), make(chan bool)
	v, err := New(func(texts [][]byte) (string, error) {
		if string(texts[0]) == "new" {
			hang <- true
			<-release
		}
		return string(texts[0]), nil
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "new")
	for range 2 {
		if got := v.Get(); got != "old" {
			t.Errorf("got %q, want the old value", got)
		}
	}
	close(release)
	for deadline := time.Now().Add(20 * time.Second); v.Get() != "new"; {
		if time.Now().After(deadline) {
			t.Fatal("the new value is never used")
		}
	}
	if len(hang) != 1 {
		t.Errorf("%d reads were begun while one was under way", len(hang)-1)
	}
}
