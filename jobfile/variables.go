package jobfile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expansion is a text with its variables replaced.
type expansion struct {
	text     string
	variable bool // the text has a variable
	failed   bool
}

// expand returns the text of a node with its variables replaced. The value of a
// variable is never read as YAML, so it cannot add keys.
func (p *reader) expand(n *yaml.Node, v value) (text string, ok bool) {
	x, done := p.expanded[n]
	if !done {
		text, variable, err := expand(n.Value, p.lookup, v.secret)
		if err != nil {
			p.faults.AddAt(n.Line, "%s: %v", v.key, err)
		}
		x = expansion{text, variable, err != nil}
		if variable || x.failed || v.key == "after" {
			p.expanded[n] = x
		}
	}
	return x.text, !x.failed
}

// expand replaces ${NAME}, ${NAME:-text} and $$ in text. It reports whether
// there was a variable. Errors show the text around a mistake, unless it is
// secret.
func expand(text string, lookup func(string) (string, bool), secret bool) (value string, variable bool, err error) {
	if !strings.Contains(text, "$") {
		return text, false, nil
	}
	excerpt := func(text string) string {
		if secret {
			return "a dollar sign"
		}
		return fmt.Sprintf("%q", clip(text))
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), variable, nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", true, fmt.Errorf("%s has no closing brace", excerpt("$"+rest))
			}
			value, err := lookUp(inner, lookup, secret)
			if err != nil {
				return "", true, err
			}
			b.WriteString(value)
			variable = true
			text = after
		default:
			return "", true, fmt.Errorf("%s: write ${NAME} for a variable, $$ for a dollar sign", excerpt("$"+rest))
		}
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// lookUp returns the value of NAME or of NAME:-text.
func lookUp(inner string, lookup func(string) (string, bool), secret bool) (string, error) {
	name, otherwise, hasDefault := strings.Cut(inner, ":-")
	switch {
	case secret && !variableName.MatchString(name):
		return "", errors.New("what stands between ${ and } names no variable")
	case name == "":
		return "", fmt.Errorf("%q names no variable", clip("${"+inner+"}"))
	}
	value, set := lookup(name)
	switch {
	case set && (value != "" || !hasDefault):
		return value, nil
	case hasDefault:
		return otherwise, nil
	}
	name = clip(name)
	return "", fmt.Errorf("the variable %s is not set: set it, or write ${%s:-text} for a default", name, name)
}
