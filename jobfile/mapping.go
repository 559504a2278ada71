package jobfile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/elasticjob"
)

// entry is a key with its value.
type entry struct {
	name  string
	value *yaml.Node
	line  int
	flow  bool // of a mapping in braces
}

// entries returns the entries of a mapping, merges included. The mapping's own
// entries win over those of its merges, and earlier merges over later ones. may
// holds the keys that the mapping can have.
func (p *reader) entries(n *yaml.Node, what string, may []string) []entry {
	if n.Kind != yaml.MappingNode {
		p.faults.AddAt(n.Line, `%s must be keys with values, such as %q, %s`, what, may[0]+": …", shown(n))
		return nil
	}
	seen := map[string]bool{}
	var list []entry
	p.collect(n, what, seen, &list, 0)
	return list
}

// maxMerges is how deep merges may be nested.
const maxMerges = 20

// collect adds the entries of n that seen does not have.
func (p *reader) collect(n *yaml.Node, what string, seen map[string]bool, list *[]entry, depth int) {
	if depth > maxMerges {
		p.faults.AddAt(n.Line, "<<: more than %d merges are nested; take some out", maxMerges)
		return
	}
	own := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		written := n.Content[i]
		key := p.resolve(written)
		if p.left <= 0 {
			return
		}
		name := key.Value
		switch line, twice := own[name]; {
		case key.Kind != yaml.ScalarNode:
			p.faults.AddAt(written.Line, "%s: a key must be a single text, %s", what, shown(key))
			continue
		case twice:
			p.faults.AddAt(written.Line, "%s: the key %q is there already, on line %d; take one out", what, clip(name), line)
			continue
		}
		own[name] = written.Line
		switch {
		case key.Tag == "!!merge":
			merges = append(merges, n.Content[i+1])
		case !seen[name]:
			seen[name] = true
			flow := n.Style&yaml.FlowStyle != 0
			*list = append(*list, entry{name, n.Content[i+1], written.Line, flow})
		}
	}
	for _, m := range merges {
		p.merge(m, what, seen, list, depth+1)
	}
}

// merge adds the entries of the value of a << key.
func (p *reader) merge(written *yaml.Node, what string, seen map[string]bool, list *[]entry, depth int) {
	switch n := p.resolve(written); n.Kind {
	case yaml.MappingNode:
		p.collect(n, what, seen, list, depth)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if n := p.resolve(item); n.Kind == yaml.MappingNode {
				p.collect(n, what, seen, list, depth)
			} else {
				p.faults.AddAt(item.Line, "<<: takes keys with values, such as *defaults, %s", shown(n))
			}
			if p.left <= 0 {
				return
			}
		}
	default:
		p.faults.AddAt(written.Line, "<<: takes keys with values, such as *defaults, %s", shown(n))
	}
}

// resolve returns the node that an alias refers to, or n itself. It counts the
// visits, and reports a file whose aliases multiply them.
func (p *reader) resolve(n *yaml.Node) *yaml.Node {
	if p.left--; p.left == 0 {
		p.faults.AddAt(n.Line, "the aliases of the file repeat too many values; write the values out")
	}
	for range maxMerges {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// unknown reports a key that the mapping cannot have. may holds those it can.
func (p *reader) unknown(e entry, what string, may []string) {
	p.faults.AddAt(e.line, "%s has no key %q%s", what, clip(e.name), lazy(func() string {
		near := nearest(e.name, may)
		answer := elasticjob.Key(e.name)
		switch {
		case what == "a job" && answer != "":
			return ", which is ElasticJob's; " + answer
		case e.flow && e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!null" && e.value.Value == "":
			return "; if it is a part of the value before it, put that value in quotes"
		case near != "":
			return fmt.Sprintf(": did you mean %q?", near)
		}
		return ": the keys are " + strings.Join(may, ", ")
	}))
}
