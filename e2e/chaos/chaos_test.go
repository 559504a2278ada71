package chaos

import "testing"

// row is a row of the table of faults in docs/design/chaos.md.
type row struct {
	name string
	run  func(t *testing.T, k kind)
	why  string            // it can't be run at all
	not  map[string]string // or not on a store: why
}

// mixed is the last row: all faults at once, for the given duration.
var mixed = row{name: "mix", run: mix}

// TestChaos_InvariantsHold runs every row on every store:
// TestChaos_InvariantsHold/E08/etcd.
func TestChaos_InvariantsHold(t *testing.T) {
	for _, r := range append(rows, mixed) {
		t.Run(r.name, func(t *testing.T) {
			if r.why != "" {
				t.Skipf("not run here: %s", r.why)
			}
			for _, k := range kinds {
				t.Run(k.name, func(t *testing.T) {
					if why, not := r.not[k.name]; not {
						t.Skipf("not run on this store: %s", why)
					}
					t.Parallel()
					r.run(t, k)
				})
			}
		})
	}
}
