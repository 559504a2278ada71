package layout

import (
	"maps"
	"slices"
	"strings"
)

// Labels returns labels as text, in the order of their names.
func Labels(of map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, name+"="+of[name])
	}
	return strings.Join(all, ", ")
}
