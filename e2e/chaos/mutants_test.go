package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
)

// mutants are deliberate bugs: a text in a file of the root module, and its
// replacement.
var mutants = []struct {
	name, file, from, to string
	wrong                func(g figures) bool
}{
	{"a take-over keeps the fence", "failover/transition.go", "\tr.Attempt++\n\tr.Fence++\n", "\tr.Attempt++\n",
		func(g figures) bool { return g.double > 0 && g.smaller > 0 }},
	{"a take-over counts as a first attempt", "failover/transition.go", "\tr.Attempt++\n\tr.Fence++\n", "\tr.Fence++\n",
		func(g figures) bool { return g.double > 0 }},
	{"fires that were missed are dropped", "failover/due.go", "if p.Misfire == MisfireAll {", "if false {",
		func(g figures) bool { return g.lost > 0 }},
}

// The mixes find no breach. This shows that they would find one.
func TestFigures_CountMutatedProduct(t *testing.T) {
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, kinds[slices.IndexFunc(kinds, kind.alone)], small)
			f.Binary = mutated(t, m.file, m.from, m.to)
			f.start()
			f.busy()
			p := f.places[0]
			p.Kill()
			worker.Until(time.Now().Add(f.load.ttl)) // fires are missed
			p.start()
			f.awaitAll()
			if g := count(f.settle(), f.resource.Log()); !m.wrong(g) {
				t.Errorf("nothing comes of it: %s", g.row())
			}
		})
	}
}

// mutated builds a worker with a replaced text in a file.
func mutated(t *testing.T, file, from, to string) string {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%s does not have %q once any more: mutate something else", file, from)
	}
	changed := filepath.Join(dir, "changed.go")
	overlay := filepath.Join(dir, "overlay.json")
	binary := filepath.Join(dir, "worker")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := worker.Build("../..", binary, "-overlay", overlay); err != nil {
		t.Fatalf("with another %s: %v", file, err)
	}
	return binary
}
