package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	durationFlag = flag.Duration("duration", 20*time.Second, "how long a mix of faults goes on")
	nodesFlag    = flag.Int("nodes", 1, "of how many servers the store is made; rows that need more take them")
	seedFlag     = flag.Uint64("seed", 0, "draws the same faults again; 0: draw a seed")
	keepFlag     = flag.String("keep", "", "directory that takes the journal of every test, and what the workers say")
	tableFlag    = flag.String("table", "", "file to which each run adds its row of the table")
	peerFlag     = flag.String("peer", "", "worker of another library, to be put through the same; see bench/peers")
)

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "elastic-chaos-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "worker")
	args := append([]string{"build", "-o", binary}, raceFlag...)
	cmd := exec.Command("go", append(args, "./worker")...)
	cmd.Dir = "../../examples"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the worker: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := built(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}
