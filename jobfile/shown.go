package jobfile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/spelling"
)

// lazy is text that is made only when it is printed.
type lazy func() string

func (f lazy) String() string { return f() }

// shown returns what stands in a file instead of what should.
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

// shownText returns a text as it stands in the file, variables unread.
func shownText(n *yaml.Node) string {
	if n == nil {
		return "without a name"
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return strconv.Quote(clip(n.Value))
}

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

// notUTF8 returns the first line that is not UTF-8, or zero.
func notUTF8(text []byte) int {
	if utf8.Valid(text) {
		return 0
	}
	line := 1
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		text = text[size:]
	}
	return line
}

// secondDocument returns the line on which the second document of a file
// begins.
func secondDocument(text []byte, second *yaml.Node) int {
	content := false
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case content && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")):
			return i + 1
		case trimmed != "" && trimmed[0] != '#' && trimmed != "---" && trimmed[0] != '%':
			content = true
		}
	}
	return max(second.Line, 1)
}

var (
	yamlLine    = regexp.MustCompile(`^line (\d+): `)
	blockEntry  = regexp.MustCompile("^\\s*(?:- +)*([\\w-]+): +([@`*%&!|>,\\]\\[{}?].*?)\\s*$")
	flowEntry   = regexp.MustCompile(`[{,]\s*(?:- +)*"?(schedule)"?: *([^"'\s{}][^{}]*?)\s*(?:,\s*[\w-]+:|[}\]]|$)`)
	nestedColon = regexp.MustCompile(`^\s*(?:- +)*([\w-]+): +([^"'].*: .*?)\s*$`)
	anchorName  = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
	indentTab   = regexp.MustCompile(`^ *\t`)
)

// syntaxFault returns the line of a file that is not YAML, and what to write.
// The parser names the line on which the structure began, so the line is looked
// for: it is the first without which the beginning of the file can be read.
func syntaxFault(text []byte, err error) (line int, fault string) {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	line = 1
	if m := yamlLine.FindStringSubmatch(problem); m != nil {
		line, _ = strconv.Atoi(m[1])
		problem = problem[len(m[0]):]
	}
	lines := strings.Split(string(text), "\n")
	if m := anchorName.FindStringSubmatch(problem); m != nil {
		if i := slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "*"+m[1]) }); i >= 0 {
			line = i + 1
		}
	} else if found := firstBadLine(lines); found > 0 {
		line = found
	}
	this := lines[min(line, len(lines))-1]
	quote := func(key, value string) string {
		return fmt.Sprintf("%s: YAML can't read %s without quotes; put it in quotes: %s: %q", key, clip(value), key, clip(value))
	}
	if m := blockEntry.FindStringSubmatch(this); m != nil && !strings.ContainsAny(m[2][:1], "{[|>") {
		return line, quote(m[1], m[2])
	}
	if m := flowEntry.FindStringSubmatch(this); m != nil {
		return line, quote(m[1], m[2])
	}
	switch {
	case indentTab.MatchString(this):
		return line, "the line is indented with a tab; use spaces"
	case nestedColon.MatchString(this) && strings.Contains(problem, "mapping values"):
		m := nestedColon.FindStringSubmatch(this)
		return line, quote(m[1], m[2])
	case strings.Contains(problem, "expected <document start>"):
		return line, "something follows the end of the document; a file has one, with one list of jobs"
	case strings.Contains(problem, "did not find expected '-' indicator"), strings.Contains(problem, "did not find expected key"),
		strings.Contains(problem, "mapping values are not allowed"):
		return line, fmt.Sprintf("%s is indented otherwise than what it belongs to (yaml: %s); use the same number of spaces", strconv.Quote(clip(strings.TrimSpace(this))), problem)
	}
	return line, fmt.Sprintf("%s can't be read (yaml: %s)", strconv.Quote(clip(strings.TrimSpace(this))), problem)
}

// firstBadLine returns the first line that can't follow the ones before it;
// zero if that is not known, or would take long to find.
func firstBadLine(lines []string) int {
	reads := func(n int) bool {
		var root yaml.Node
		return yaml.Unmarshal([]byte(strings.Join(lines[:n], "\n")+"\n"), &root) == nil
	}
	if size := len(strings.Join(lines, "\n")); size > 256<<10 || !reads(0) {
		return 0
	}
	good, bad := 0, len(lines)
	for bad-good > 1 {
		if n := (good + bad) / 2; reads(n) {
			good = n
		} else {
			bad = n
		}
	}
	return bad
}

// nearest returns the one of the keys that was probably meant; empty if none is near.
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
