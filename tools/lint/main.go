// Command lint counts breaches of the rules for prose and code of this
// repository and compares them with a committed ceiling.
//
//	lint [-root DIR] [-ceiling FILE] [-write] [-v]
//
// It reads the Go and Markdown files that git knows below the root. A breach
// counts for its rule and its directory:
//
//	phrase          a phrase of phrases.txt in a comment, string or page
//	comment-width   a comment line of more than 80 columns
//	code-width      a line of Go code of more than 120 columns
//	markdown-width  a line of Markdown of more than 80 columns; tables, code,
//	                headings and links are exempt
//	table-cell      a cell of a Markdown table of more than 200 characters
//	dense-literal   a line of a literal that sets five or more fields
//	dense-tuple     an assignment of three or more fields or elements at once
//	dense-if        a condition behind an assignment to a field
//	test-name       a test not named Test<Area>_<Claim> in 45 letters
//
// A tab counts as four columns. The rules for prose skip internal/engine.
//
// The command fails if a count is above its ceiling, and names the breaches of
// that rule and directory. It asks to lower a ceiling that is above the count.
// -write writes today's counts as the ceiling. -v prints all breaches.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "the root of the repository")
	ceiling := flag.String("ceiling", "tools/lint/ceiling.txt", "the ceiling file, below the root")
	write := flag.Bool("write", false, "write today's counts as the ceiling")
	verbose := flag.Bool("v", false, "print all breaches")
	flag.Parse()
	if err := run(*root, *ceiling, *write, *verbose, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
}

// run lints the repository at root. The error of a count above its ceiling
// comes after the breaches are printed.
func run(root, ceiling string, write, verbose bool, out io.Writer) error {
	files, err := tracked(root)
	if err != nil {
		return err
	}
	var all []breach
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return fmt.Errorf("read a source file: %w", err)
		}
		found, err := check(file, text)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if verbose {
		for _, b := range all {
			fmt.Fprintln(out, b)
		}
	}
	path := filepath.Join(root, ceiling)
	if write {
		return writeCeiling(path, count(all))
	}
	allowed, err := readCeiling(path)
	if err != nil {
		return err
	}
	return compare(all, allowed, out)
}

// tracked returns the Go and Markdown files that git knows or would add.
// Test data is left out: it is often wrong on purpose.
func tracked(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go", "*.md")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the files of the repository: %w", err)
	}
	var files []string
	for file := range strings.Lines(string(list)) {
		file = strings.TrimSpace(file)
		if !strings.Contains(file, "testdata/") {
			files = append(files, file)
		}
	}
	return files, nil
}

// check returns the breaches in one file.
func check(file string, text []byte) ([]breach, error) {
	prose := !strings.HasPrefix(file, "internal/engine/")
	var found []breach
	if strings.HasSuffix(file, ".md") {
		return checkMarkdown(file, string(text)), nil
	}
	if prose {
		found = checkText(file, text)
	}
	code, err := checkCode(file, text)
	return append(found, code...), err
}
