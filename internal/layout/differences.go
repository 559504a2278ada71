package layout

import (
	"encoding/json"
	"maps"
	"slices"
)

// Difference is a field that two specs have different values of.
type Difference struct {
	Field string // as in job files
	A, B  string // the values as JSON, or "none"
}

// Differences returns the fields in which two specs ask for different things,
// in the order of their names. Times at which a spec was changed don't count.
func Differences(a, b Spec) []Difference {
	before, after := a.fields(), b.fields()
	names := maps.Clone(before)
	maps.Copy(names, after)
	var all []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := Difference{Field: name, A: shown(before[name]), B: shown(after[name])}
		if d.A != d.B {
			all = append(all, d)
		}
	}
	return all
}

func (s Spec) fields() map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(s.encode(), &fields) // it was encoded a moment ago
	for _, name := range []string{"since", "resharded", "enabled", "enabledShards"} {
		delete(fields, name)
	}
	return fields
}

func shown(value json.RawMessage) string {
	if value == nil {
		return "none"
	}
	return string(value)
}
