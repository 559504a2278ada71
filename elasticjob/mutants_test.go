package elasticjob

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a fault of the doctor that has been thought of: a text of a source
// file and its replacement. The tests that match run must fail with it.
type mutant struct {
	name, file string
	from, to   string
	run        string
}

var mutants = []mutant{
	{
		name: "delete without pin",
		file: "repair.go",
		from: "func pins(m mark) bool { return m.session == 0 && !isPin(m.path) }",
		to:   "func pins(m mark) bool { return false }",
		run:  "TestRepair_EveryStepOfJavaBetween",
	},
	{
		name: "dead by one look",
		file: "rules.go",
		from: "absent < e.options.Settle {",
		to:   "false {",
		run:  "TestExamine_OneLookProvesNothing",
	},
	{
		name: "single collect",
		file: "seen.go",
		from: "for _, id := range first.below(\"instances\") {",
		to:   "first = t\n\tfor _, id := range first.below(\"instances\") {",
		run:  "TestExamine_BothCollectsCount",
	},
	{
		name: "watch unheard",
		file: "doctor.go",
		from: "p.seen.Came(id)\n\t\tdelete(p.watched, id)",
		to:   "delete(p.watched, id)",
		run:  "TestDoctor_SparesOwnersThatReturn",
	},
	{
		name: "owner not read again",
		file: "repair.go",
		from: "return moved(\"%s is back\", id)",
		to:   "return nil",
		run:  "TestRepair_ReadsItsFactsAgain",
	},
	{
		name: "mark not read again",
		file: "repair.go",
		from: "case stat.Czxid != m.czxid, stat.Version != m.version, clip(value) != m.value:",
		to:   "case false:",
		run:  "TestRepair",
	},
	{
		name: "rerun in spite of a later fire",
		file: "rules.go",
		from: "; !later.IsZero() && !later.After(e.now) {",
		to:   "; false && !later.IsZero() {",
		run:  "TestExamine",
	},
	{
		name: "resharding of a static job",
		file: "jobrules.go",
		from: "if e.config.StaticSharding || e.s.at(",
		to:   "if e.s.at(",
		run:  "TestExamine_LeavesOperatorsDecisions",
	},
	{
		name: "disabled server pruned",
		file: "jobrules.go",
		from: "if live[ip] || n.Data == \"DISABLED\" || ",
		to:   "if live[ip] || ",
		run:  "TestExamine",
	},
	{
		name: "repairs without bound",
		file: "doctor.go",
		from: "if len(p.repairs) >= repairsPerMinute {",
		to:   "if false {",
		run:  "TestDoctor_TwentyRepairsAMinute",
	},
}

// Each known fault of the doctor fails a test. The sources are not changed: the
// compiler reads the replacement through an overlay.
func TestMutants_AreCaught(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			out, err := exec.Command(binary, "-test.run", "^("+m.run+")").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("got %v, want a failed test:\n%.2000s", err, out)
			}
		})
	}
}

func (m mutant) build(t *testing.T) (binary string) {
	t.Helper()
	source, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.from); n != 1 {
		t.Fatalf("%s has %q %d times, want once", m.file, m.from, n)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, m.file)
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.from, m.to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {here: changed}})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(config, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", config, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
