package main

import (
	_ "embed"
	"go/scanner"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	commentColumns  = 80
	codeColumns     = 120
	markdownColumns = 80
	cellLetters     = 200
	tabColumns      = 4
)

//go:embed phrases.txt
var phraseList string

// phrase matches a phrase of phrases.txt.
var phrase = func() *regexp.Regexp {
	var all []string
	for line := range strings.Lines(phraseList) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(all, "|") + `)\b`)
}()

// phrases returns the breaches of the rule phrase in text that starts at line.
func phrases(file string, line int, text string) []breach {
	var found []breach
	for part := range strings.Lines(text) {
		for _, match := range phrase.FindAllString(part, -1) {
			found = append(found, breach{file, line, "phrase", strconv.Quote(match)})
		}
		line++
	}
	return found
}

// checkText returns the breaches of the rules for prose and width in a Go file.
func checkText(file string, text []byte) []breach {
	set := token.NewFileSet()
	source := set.AddFile(file, -1, len(text))
	var s scanner.Scanner
	s.Init(source, text, nil, scanner.ScanComments)
	var found []breach
	comments := map[int]bool{} // lines that begin with a comment
	raw := map[int]bool{}      // lines of raw strings, but for the first
	code := map[int]bool{}     // lines on which code precedes
	for {
		pos, kind, literal := s.Scan()
		if kind == token.EOF {
			break
		}
		first := source.Line(pos)
		last := first + strings.Count(literal, "\n")
		switch kind {
		case token.COMMENT:
			found = append(found, phrases(file, first, literal)...)
			if code[first] {
				break
			}
			for line := first; line <= last; line++ {
				comments[line] = true
			}
		case token.STRING:
			found = append(found, phrases(file, first, literal)...)
			for line := first + 1; line <= last; line++ {
				raw[line] = true
			}
			code[first] = true
		case token.SEMICOLON:
			if literal != "\n" {
				code[first] = true
			}
		default:
			code[first] = true
		}
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		wide := columns(line)
		switch {
		case strings.Contains(line, "://"), raw[n], isDirective(line):
		case comments[n] && wide > commentColumns:
			found = append(found, breach{file, n, "comment-width", strconv.Itoa(wide) + " columns"})
		case !comments[n] && wide > codeColumns:
			found = append(found, breach{file, n, "code-width", strconv.Itoa(wide) + " columns"})
		}
	}
	return found
}

var directive = regexp.MustCompile(`^\s*//([a-z]+:|nolint|lint:)`)

// isDirective reports whether a line is a comment that a tool reads.
func isDirective(line string) bool { return directive.MatchString(line) }

// columns is the width of a line with its tabs expanded.
func columns(line string) int {
	line = strings.TrimRight(line, "\r\n")
	tabs := strings.Count(line, "\t")
	return utf8.RuneCountInString(line) + tabs*(tabColumns-1)
}

var (
	fence    = regexp.MustCompile("^\\s*(```|~~~)")
	indented = regexp.MustCompile(`^(    |\t)`)
	link     = regexp.MustCompile(`\]\(|://|^\s*\[[^\]]+\]:`)
)

// checkMarkdown returns the breaches in a Markdown file.
func checkMarkdown(file, text string) []breach {
	var found []breach
	n, fenced := 0, false
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if fence.MatchString(line) {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		found = append(found, phrases(file, n, line)...)
		wide := columns(line)
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "|"):
			found = append(found, cells(file, n, line)...)
		case wide <= markdownColumns, strings.HasPrefix(line, "#"), indented.MatchString(line), link.MatchString(line):
		default:
			found = append(found, breach{file, n, "markdown-width", strconv.Itoa(wide) + " columns"})
		}
	}
	return found
}

// cells returns the cells of a line of a table that are too long.
func cells(file string, n int, line string) []breach {
	var found []breach
	for cell := range strings.SplitSeq(strings.ReplaceAll(line, `\|`, " "), "|") {
		letters := utf8.RuneCountInString(strings.TrimSpace(cell))
		if letters > cellLetters {
			found = append(found, breach{file, n, "table-cell", strconv.Itoa(letters) + " characters"})
		}
	}
	return found
}
