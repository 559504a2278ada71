package jobfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/spelling"
)

// lazy is a text that is made only when it is printed.
type lazy func() string

func (f lazy) String() string { return f() }

// shown returns a description of a value for messages.
func shown(n *yaml.Node) fmt.Stringer {
	return lazy(func() string {
		switch n.Kind {
		case yaml.MappingNode:
			return "is keys with values"
		case yaml.SequenceNode:
			return "is a list"
		}
		if n.Tag == "!!null" {
			return "has no value"
		}
		return "is " + shownText(n)
	})
}

// shownText returns a text as the file has it, with its variables unread.
func shownText(n *yaml.Node) string {
	if n == nil {
		return "without a name"
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return strconv.Quote(clip(n.Value))
}

// clip returns the beginning of a text for messages.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// nearest returns the key that was probably meant; empty if none is near.
func nearest(key string, keys []string) string {
	if len(key) > 60 {
		return ""
	}
	key = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
	best, at := "", 3
	for _, k := range keys {
		if d := spelling.Distance(key, strings.ToLower(k)); d < at && d < len(k)/2+1 {
			best, at = k, d
		}
	}
	return best
}
