package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// The same program runs the same job file on every store. Only the URL differs.
func TestStores_URLSelectsStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) string{
		"memory":    func(*testing.T) string { return "memory://alone" },
		"file":      func(t *testing.T) string { return "file://" + t.TempDir() + "/jobs" },
		"etcd":      func(t *testing.T) string { return testservers.StartEtcd(t).URL("swap") },
		"consul":    func(t *testing.T) string { return testservers.StartConsul(t).URL("swap") },
		"zookeeper": func(t *testing.T) string { return testservers.StartZooKeeper(t).URL("swap") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := open(t)
			for _, start := range []string{"first", "second"} { // the second finds what the first has left
				code, said := run(t, func(said string, p *exec.Cmd) bool {
					if ended(said, "collect") < 6 || ended(said, "report") < 2 {
						return false
					}
					p.Process.Signal(syscall.SIGTERM)
					return true
				}, "-store", url, "-jobs", "../examples/worker/jobs.yaml", "-work", "10ms",
					"-log", "json", "-log-level", "debug")
				if code != 0 || !strings.Contains(said, `"kind":"left"`) || strings.Contains(said, `"level":"WARN"`) {
					t.Errorf(
						"the %s start: exit code %d, want 0, two fires of both jobs, and nothing to warn of:\n%s",
						start, code, said,
					)
				}
			}
		})
	}
}

// ended returns how many runs of a job have ended, by the log.
func ended(said, job string) (n int) {
	for line := range strings.Lines(said) {
		if strings.Contains(line, `"kind":"ended"`) && strings.Contains(line, `"job":"`+job+`"`) {
			n++
		}
	}
	return n
}
