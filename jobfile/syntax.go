package jobfile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// notUTF8 returns the first line that is not UTF-8; 0 if there is none.
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
		separates := strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")
		if content && separates {
			return i + 1
		}
		if trimmed != "" && trimmed[0] != '#' && trimmed[0] != '%' && trimmed != "---" {
			content = true
		}
	}
	return max(second.Line, 1)
}

var (
	yamlLine    = regexp.MustCompile(`^line (\d+): `)
	firstKey    = regexp.MustCompile(`^[\s{-]*"?([\w-]+)"?:`)
	blockEntry  = regexp.MustCompile("^\\s*(?:- +)*([\\w-]+): +([@`*%&!|>,\\]\\[{}?].*?)\\s*$")
	flowEntry   = regexp.MustCompile(`[{,]\s*(?:- +)*"?(schedule)"?: *([^"'\s{}][^{}]*?)\s*(?:,\s*[\w-]+:|[}\]]|$)`)
	nestedColon = regexp.MustCompile(`^\s*(?:- +)*([\w-]+): +([^"'].*: .*?)\s*$`)
	anchorName  = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
	quoted      = regexp.MustCompile(`'.*'`)
	indentTab   = regexp.MustCompile(`^ *\t`)
)

// syntaxFault returns the line of a file that is not YAML, and what to write
// there. The parser names the line on which the structure began. A better line
// is the first without which the beginning of the file can be read.
func syntaxFault(text []byte, err error) (line int, fault string) {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	line = 1
	if m := yamlLine.FindStringSubmatch(problem); m != nil {
		line, _ = strconv.Atoi(m[1])
		problem = problem[len(m[0]):]
	}
	lines := strings.Split(string(text), "\n")
	if m := anchorName.FindStringSubmatch(problem); m != nil {
		i := slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "*"+m[1]) })
		if i >= 0 {
			line = i + 1
		}
	} else if found := firstBadLine(lines); found > 0 {
		line = found
	}
	return line, lineFault(lines[min(line, len(lines))-1], problem)
}

// lineFault returns the fault of a line that is not YAML. problem is the
// message of the parser.
func lineFault(line, problem string) string {
	if m := blockEntry.FindStringSubmatch(line); m != nil && !strings.ContainsAny(m[2][:1], "{[|>") {
		return needsQuotes(m[1], m[2])
	}
	if m := flowEntry.FindStringSubmatch(line); m != nil {
		return needsQuotes(m[1], m[2])
	}
	has := func(text string) bool { return strings.Contains(problem, text) }
	switch {
	case indentTab.MatchString(line):
		return "the line is indented with a tab; use spaces"
	case nestedColon.MatchString(line) && has("mapping values"):
		m := nestedColon.FindStringSubmatch(line)
		return needsQuotes(m[1], m[2])
	case has("expected <document start>"):
		return "something follows the end of the document; a file has one, with one list of jobs"
	case has("did not find expected '-' indicator"),
		has("did not find expected key"),
		has("mapping values are not allowed"):
		return fmt.Sprintf("%s has another indentation than the lines around it (yaml: %s); use the same number of spaces",
			shownLine(line), problem)
	}
	if shownLine(line) == hiddenLine {
		problem = quoted.ReplaceAllString(problem, "'…'")
	}
	return fmt.Sprintf("%s can't be read (yaml: %s)", shownLine(line), problem)
}

// needsQuotes returns the fault of a value that YAML reads as something else.
func needsQuotes(key, value string) string {
	if !isShown(key) {
		return key + ": YAML can't read the value without quotes; put it in quotes"
	}
	value = clip(value)
	return fmt.Sprintf("%s: YAML can't read %s without quotes; put it in quotes: %s: %q", key, value, key, value)
}

// isShown reports whether messages about the syntax may show the value of a
// key. A "run" section can have secrets, and its extent is unknown while the
// file can't be read.
func isShown(key string) bool { return key != "run" && find(jobFields, key) != nil }

// hiddenLine stands for a line that messages must not show.
const hiddenLine = "the line"

// shownLine returns a line for messages.
func shownLine(line string) string {
	m := firstKey.FindStringSubmatch(line)
	if m == nil || !isShown(m[1]) || strings.Contains(line, "run") {
		return hiddenLine
	}
	return strconv.Quote(clip(strings.TrimSpace(line)))
}

// firstBadLine returns the first line that cannot follow those before it; 0 if
// it is unknown, or would take long to find.
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
