package genuine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where Maven is missing, or can't reach Maven Central, run.sh ends with an
// error that says so, and what stands in.
func TestRun_SaysWhatIsMissing(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	tools := t.TempDir()
	for _, name := range []string{"dirname", "mkdir"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		env  []string
	}{
		{"no Maven", []string{"PATH=" + tools}},
		{"a proxy that refuses", []string{
			"PATH=" + os.Getenv("PATH"),
			"HOME=" + os.Getenv("HOME"),
			"MAVEN_OPTS=-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1 -Dmaven.repo.local=" + t.TempDir(),
		}},
	} {
		cmd := exec.Command(bash, "run.sh", t.TempDir(), "3.0.3")
		cmd.Env = row.env
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: run.sh ends without an error", row.name)
		}
		for _, want := range []string{"ElasticJob 3.0.3 can't be had", "go test -run Repair"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: want %q in\n%s", row.name, want, out)
			}
		}
	}
}
