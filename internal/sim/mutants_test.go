package sim

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var mutantsFlag = flag.String("sim.mutants", "fast", "which mutants to try: fast, all, or some by name, with commas")

// mutant is a way to break the protocol.
type mutant struct {
	name, story string
	within      int // seeds
	fast        bool
	patches     []patch
}

// patch replaces a text in a file.
type patch struct{ file, old, new string }

// Each mutant is built from the real sources, with its patches laid over them, and hunted with the seeds from 1 on. One that survives
// means that a check sleeps.
func TestABrokenProtocolIsCaught(t *testing.T) {
	if racing {
		t.Skip("under the race detector each would be built and run many times slower, for nothing: see make mutants")
	}
	if testing.Short() {
		t.Skip("builds many programs")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, m := range readMutants(t) {
		if !m.wanted(*mutantsFlag) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			began := time.Now()
			seed, broken := m.hunt(t, root)
			if seed == 0 {
				t.Errorf("it survives %d seeds: %s", m.within, m.story)
				return
			}
			fmt.Fprintf(&table, "| %s | %s | %d | %d | %s |\n", m.name, m.story, m.within, seed, broken)
			t.Logf("caught by seed %d, invariants %s, %s", seed, broken, time.Since(began).Round(time.Millisecond))
		})
	}
	t.Logf("\n| mutant | what is wrong | within | caught by seed | invariants |\n| --- | --- | ---: | ---: | --- |\n%s", table.String())
}

func (m mutant) wanted(which string) bool {
	switch which {
	case "all":
		return true
	case "fast":
		return m.fast
	}
	for name := range strings.SplitSeq(which, ",") {
		if name == m.name {
			return true
		}
	}
	return false
}

// hunt builds the mutant and returns the first seed that catches it, or 0, and the invariants that it breaks there.
func (m mutant) hunt(t *testing.T, root string) (seed int, broken string) {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, p := range m.patches {
		path := filepath.Join(root, p.file)
		from := path
		if done, again := overlay.Replace[path]; again {
			from = done
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), p.old); n != 1 {
			t.Fatalf("%s has %d times, want once:\n%s\nThe source has changed: change the mutant, too.", p.file, n, p.old)
		}
		to := filepath.Join(dir, strings.ReplaceAll(p.file, "/", "_"))
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[path] = to
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	laid, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	if err := os.WriteFile(laid, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", laid, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	run := exec.CommandContext(ctx, binary, "-test.run", "TestEveryInvariant", "-sim.hunt", "-sim.seeds", strconv.Itoa(m.within))
	out, err := run.CombinedOutput()
	if err == nil {
		return 0, ""
	}
	if found := caught.FindSubmatch(out); found != nil {
		seed, _ = strconv.Atoi(string(found[1]))
		return seed, string(found[2])
	}
	t.Fatalf("it ends otherwise than by a broken invariant: %v\n%s", err, tail(out))
	return 0, ""
}

var caught = regexp.MustCompile(`seed (\d+), invariants \[([0-9 ]+)\]`)

func tail(out []byte) []byte { return out[max(0, len(out)-3000):] }

// readMutants reads testdata/mutants.txt; the file says what it looks like.
func readMutants(t *testing.T) (all []mutant) {
	t.Helper()
	f, err := os.Open("testdata/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	block := func(end string) string {
		var lines []string
		for in.Scan() {
			if in.Text() == end {
				return strings.Join(lines, "\n")
			}
			lines = append(lines, in.Text())
		}
		t.Fatalf("mutants.txt ends before %s", end)
		return ""
	}
	for in.Scan() {
		line := in.Text()
		words := strings.Fields(line)
		switch {
		case line == "" || line[0] == '#':
		case words[0] == "mutant" && len(words) >= 4 && words[2] == "within":
			within, err := strconv.Atoi(words[3])
			if err != nil || !in.Scan() {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, mutant{name: words[1], within: within, fast: len(words) == 5 && words[4] == "fast", story: in.Text()})
		case words[0] == "in" && len(words) == 2 && in.Scan() && in.Text() == "<<<":
			m := &all[len(all)-1]
			m.patches = append(m.patches, patch{words[1], block("==="), block(">>>")})
		default:
			t.Fatalf("mutants.txt: can't read %q", line)
		}
	}
	return all
}

// A mutant whose source has changed says so at once, and not when all mutants
// are run the next time.
func TestMutants_MatchTheSources(t *testing.T) {
	for _, m := range readMutants(t) {
		for _, p := range m.patches {
			source, err := os.ReadFile(filepath.Join("../..", p.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), p.old); n != 1 {
				t.Errorf("mutant %s: %s has %d times, want once:\n%s", m.name, p.file, n, p.old)
			}
		}
	}
}
