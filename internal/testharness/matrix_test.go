package testharness

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/internal/testservers"
	_ "github.com/elasticjob-go/elastic/internal/testservers/containers"
	_ "github.com/elasticjob-go/elastic/store/consul"
	_ "github.com/elasticjob-go/elastic/store/etcd"
	_ "github.com/elasticjob-go/elastic/store/file"
	"github.com/elasticjob-go/elastic/store/memory"
	_ "github.com/elasticjob-go/elastic/store/zookeeper"
)

var drivers = []struct {
	name    string
	harness func(t testing.TB) conformance.Harness
}{
	{"memory", func(testing.TB) conformance.Harness { return Memory() }},
	{"memory-weak", weakMemory}, // what a weaker backend promises
	{"file", func(testing.TB) conformance.Harness { return File(true) }},
	{"file-async", func(testing.TB) conformance.Harness { return File(false) }},
	{"etcd", Etcd},
	{"zookeeper", ZooKeeper},
	{"zk-classic", ZooKeeperClassic}, // zookeeper://…?watch=classic
	{"consul", Consul},
}

func weakMemory(testing.TB) conformance.Harness {
	return Memory(memory.WeakVersions(), memory.TornLists(3, 0), memory.MaxOps(32))
}

// resultsVariable names the file that a process which runs one driver writes
// its results to.
const resultsVariable = "ELASTIC_TEST_RESULTS"

// Most cases wait most of the time, so more of them can run than there are
// processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set("6")
	}
	os.Exit(m.Run())
}

// Every driver runs in a process of its own, at the same time: they wait most
// of the time, and some cases look at the whole process. Use -run
// TestConformance/all/etcd to run one of them.
func TestConformance(t *testing.T) {
	if os.Getenv(resultsVariable) != "" {
		t.Skip("this is a process that runs one driver: see TestDriver_Conforms")
	}
	t.Logf("servers run as: %s", testservers.RuntimeName(t))
	scores := newScores()
	t.Run("all", func(t *testing.T) {
		for _, d := range drivers {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				results, err := inProcess(t, d.name)
				scores.add(d.name, results, time.Since(start))
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
	scores.print(os.Stdout)
}

// TestDriver_Conforms runs the suite on one driver, in the process of that.
func TestDriver_Conforms(t *testing.T) {
	path := os.Getenv(resultsVariable)
	if path == "" {
		t.Skip("TestConformance runs this, in a process for each driver")
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write := json.NewEncoder(file)
	results := make(chan conformance.Result)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for r := range results {
			write.Encode(r)
		}
	}()
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			conformance.Run(t, d.harness(t), func(r conformance.Result) {
				results <- r
			})
		})
	}
	close(results)
	<-written
}

// inProcess runs TestDriver_Conforms for one driver in a process of its own and
// returns its results. What that says is printed when it fails.
func inProcess(t *testing.T, driver string) ([]conformance.Result, error) {
	path := filepath.Join(t.TempDir(), "results")
	args := []string{
		"-test.run",
		"^TestDriver_Conforms$/^" + driver + "$",
		"-test.v",
		"-test.parallel",
		flag.Lookup("test.parallel").Value.String(),
	}
	if skip := flag.Lookup("test.skip").Value.String(); skip != "" {
		args = append(args, "-test.skip", skip)
	}
	ctx := context.Background()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-10*time.Second))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), resultsVariable+"="+path)
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", driver, err, essence(string(output)))
	}
	var results []conformance.Result
	if file, err := os.Open(path); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var r conformance.Result
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				results = append(results, r)
			}
		}
	}
	if len(results) == 0 && err == nil {
		err = fmt.Errorf("%s: no case was run", driver)
	}
	return results, err
}

// essence leaves out lines about cases that passed.
func essence(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "=== ") && !strings.Contains(line, "--- PASS") &&
			!strings.Contains(line, "--- SKIP") && !strings.Contains(line, "not run: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}
