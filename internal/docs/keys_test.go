package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/layout"
)

const keysPage = "docs/design/keys.md"

// The tables of keys on the page are those that the code gives.
func TestKeys_PageListsTable(t *testing.T) {
	const start, end = "<!-- generated: keys -->\n", "<!-- end -->"
	path := filepath.Join(root, keysPage)
	page := read(t, path)
	before, rest, found := strings.Cut(page, start)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the keys", keysPage)
	}
	want := before + start + keyTables() + end + after
	if page == want {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the code; run go test ./internal/docs -run Keys -update", keysPage)
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyTables returns what the keys hold, and who writes and reads them.
func keyTables() string {
	var what, who strings.Builder
	what.WriteString("\n| key | content | lifetime | size |\n| --- | --- | --- | --- |\n")
	who.WriteString("\n| key | written by, and compared | read by |\n| --- | --- | --- |\n")
	for _, k := range layout.Table {
		fmt.Fprintf(&what, "| `%s` | %s | %s | %s |\n", k.Form, k.Content, k.Lifetime, k.Size)
		fmt.Fprintf(&who, "| `%s` | %s | %s |\n", k.Form, k.Writer, k.Reader)
	}
	return what.String() + who.String() + "\n"
}
