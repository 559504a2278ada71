package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/spf13/cobra"
)

// apiVersion names the form of JSON answers.
const apiVersion = "elasticctl/v1"

// The formats of an answer.
const (
	formatTable = "table"
	formatWide  = "wide"
	formatJSON  = "json"
	formatLines = "jsonl"
	formatYAML  = "yaml"
	formatName  = "name"
)

// format returns the format that was asked for.
func (a *app) format() (string, error) {
	switch a.output {
	case "":
		if a.watch && !a.terminal {
			return formatLines, nil
		}
		return formatTable, nil
	case formatTable, formatWide, formatJSON, formatLines, formatYAML, formatName:
		return a.output, nil
	}
	return "", usage("--output %.40q: want table, wide, json, jsonl, yaml or name", a.output)
}

// answer is the result of a command, in all its forms.
type answer struct {
	whole any      // for json and yaml: a struct
	items []any    // for jsonl; nil: the whole is one item
	names []string // for name
	table *table   // for table and wide
	text  string   // in place of a table
	note  string   // goes to stderr, with a table
	err   error    // ends the command after the answer, such as findings
}

func (a *answer) write(out, notes io.Writer, format string) error {
	var err error
	switch format {
	case formatJSON:
		err = a.json(out, true)
	case formatYAML:
		err = a.yaml(out)
	case formatLines:
		err = a.lines(out)
	case formatName:
		for _, name := range a.names {
			fmt.Fprintln(out, name)
		}
	default:
		err = a.show(out, notes, format == formatWide)
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return a.err
}

func (a *answer) show(out, notes io.Writer, wide bool) error {
	if a.table != nil {
		if err := a.table.write(out, wide); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(out, a.text); err != nil {
		return err
	}
	if a.note != "" {
		fmt.Fprintln(notes, a.note)
	}
	return nil
}

// json writes the whole, beginning with the version of its form.
func (a *answer) json(out io.Writer, indent bool) error {
	text, err := a.encode()
	if err != nil {
		return err
	}
	if indent {
		var b bytes.Buffer
		if err := json.Indent(&b, text, "", "  "); err != nil {
			return err
		}
		text = b.Bytes()
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

func (a *answer) encode() ([]byte, error) {
	text, err := encode(a.whole)
	if err != nil || len(text) == 0 || text[0] != '{' {
		return text, err
	}
	head := fmt.Sprintf(`{"apiVersion":%q`, apiVersion)
	if !bytes.Equal(text, []byte("{}")) {
		head += ","
	}
	return append([]byte(head), text[1:]...), nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// yaml writes the same as json. JSON is YAML, so the order of keys stays.
func (a *answer) yaml(out io.Writer) error {
	text, err := a.encode()
	if err != nil {
		return err
	}
	text, err = asYAML(text)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

func asYAML(text []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	var unflow func(n *yaml.Node)
	unflow = func(n *yaml.Node) {
		n.Style &^= yaml.FlowStyle | yaml.DoubleQuotedStyle
		for _, below := range n.Content {
			unflow(below)
		}
	}
	unflow(&root)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func (a *answer) lines(out io.Writer) error {
	if a.items == nil {
		return a.json(out, false)
	}
	for _, item := range a.items {
		text, err := encode(item)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// table is an answer for people. Columns after a "|" in the head are wide.
type table struct {
	head []string
	wide []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write aligns the columns. What could move a terminal's cursor is escaped:
// names and errors come from other programs.
func (t *table) write(out io.Writer, wide bool) error {
	columns := len(t.head)
	head := t.head
	if wide {
		columns += len(t.wide)
		head = append(head[:len(head):len(head)], t.wide...)
	}
	rows := append([][]string{head}, t.rows...)
	widths := make([]int, columns)
	for _, row := range rows {
		for i, cell := range row[:min(columns, len(row))] {
			widths[i] = max(widths[i], utf8.RuneCountInString(plain(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row[:min(columns, len(row))] {
			cell = plain(cell)
			line.WriteString(cell)
			if i < columns-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// keepReading writes an answer whenever it is another one. In lines, it writes
// the items that are new or different.
func (a *app) keepReading(cmd *cobra.Command, format string, once func() (*answer, error)) error {
	last := ""
	seen := map[string]bool{}
	for first := true; ; first = false {
		answer, err := once()
		switch {
		case err != nil && first:
			return err
		case cmd.Context().Err() != nil:
			return nil
		case err != nil:
			fmt.Fprintln(cmd.ErrOrStderr(), "elasticctl:", err)
		case format == formatLines:
			now := map[string]bool{}
			changed := *answer
			changed.items = []any{}
			for _, item := range answer.items {
				text, err := encode(item)
				if err != nil {
					return err
				}
				now[string(text)] = true
				if !seen[string(text)] {
					changed.items = append(changed.items, item)
				}
			}
			seen = now
			if err := changed.write(cmd.OutOrStdout(), io.Discard, format); err != nil {
				return err
			}
		default:
			var b bytes.Buffer
			if err := answer.write(&b, &b, format); err != nil && answer.err == nil {
				return err
			}
			if b.String() == last {
				break
			}
			last = b.String()
			if a.terminal {
				fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
			}
			fmt.Fprint(cmd.OutOrStdout(), last)
		}
		if !a.pause(cmd.Context()) {
			return nil
		}
	}
}
