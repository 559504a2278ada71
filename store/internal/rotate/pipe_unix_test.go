//go:build unix

package rotate

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe, such as the shell's <(command), is read once and never waited for.
func TestSecret_FromAPipeIsReadOnce(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go os.WriteFile(pipe, []byte("secret\n"), 0o600)
	s, err := SecretFile(pipe)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Get(); got != "secret" || s.file.Fault() != nil {
		t.Errorf("got %q, fault %v", got, s.file.Fault())
	}
}
