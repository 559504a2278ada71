// Package scenario runs scenarios of a fleet from text files. A line is an
// event, and the lines below it show what the fleet does and holds then, as in
// the files of etcd/raft. They can be checked without knowing the code, and a
// change of behavior is a change of text.
package scenario

import (
	"fmt"
	"strings"
)

// Step is one event of a scenario, with its output.
type Step struct {
	Line   int    // of its verb, from 1
	Before string // comments and empty lines that precede it, as they are
	Verb   string
	Args   []Arg
	Text   string // the line of the verb, as it is
	Input  string // the lines between that and the separator
	Output string // what came of it, a line ending in a newline each
}

// Arg is an argument: a word, or a word with a value.
type Arg struct {
	Name   string
	Value  string
	Valued bool // it has a value, which may be empty
}

// String returns the text of the argument.
func (a Arg) String() string {
	if a.Valued {
		return a.Name + "=" + a.Value
	}
	return a.Name
}

// File is a scenario.
type File struct {
	Steps []Step
	After string // what follows the last step
}

const separator = "----"

// Parse reads a scenario. Each step is a line with a verb and its arguments,
// lines of input if it has any, a line with ----, and lines of output up to an
// empty line. Lines that begin with # are comments.
func Parse(text string) (File, error) {
	var f File
	var before strings.Builder
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || strings.HasPrefix(lines[i], "#") {
			before.WriteString(lines[i] + "\n")
			continue
		}
		s := Step{Line: i + 1, Before: before.String(), Text: lines[i]}
		before.Reset()
		words, err := split(lines[i])
		if err != nil {
			return File{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		s.Verb, s.Args = words[0].String(), words[1:]
		for i++; ; i++ {
			if i == len(lines) || lines[i] == "" {
				return File{}, fmt.Errorf("line %d: %s has no line with %s below it", s.Line, s.Verb, separator)
			}
			if lines[i] == separator {
				break
			}
			s.Input += lines[i] + "\n"
		}
		for i++; i < len(lines) && lines[i] != ""; i++ {
			s.Output += lines[i] + "\n"
		}
		i-- // the empty line precedes the next step
		f.Steps = append(f.Steps, s)
	}
	f.After = before.String()
	return f, nil
}

// String returns the text of the file.
func (f File) String() string {
	var b strings.Builder
	for _, s := range f.Steps {
		b.WriteString(s.Before + s.Text + "\n" + s.Input + separator + "\n" + s.Output)
	}
	b.WriteString(f.After)
	return b.String()
}

// split cuts a line into arguments. A value may be quoted, and may hold spaces
// then.
func split(line string) ([]Arg, error) {
	var args []Arg
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		end := strings.IndexAny(rest, " \t=")
		if end < 0 {
			end = len(rest)
		}
		a := Arg{Name: rest[:end]}
		rest = rest[end:]
		if !strings.HasPrefix(rest, "=") || a.Name == "" {
			if a.Name == "" { // a lone = is a word
				a.Name, rest = "=", rest[1:]
			}
			args = append(args, a)
			continue
		}
		a.Valued, rest = true, rest[1:]
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("a quote that does not end: %s", rest)
			}
			a.Value, rest = rest[1:1+end], rest[end+2:]
		} else {
			end := strings.IndexAny(rest, " \t")
			if end < 0 {
				end = len(rest)
			}
			a.Value, rest = rest[:end], rest[end:]
		}
		args = append(args, a)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("no verb in %q", line)
	}
	return args, nil
}
