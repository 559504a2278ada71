package adminhttp_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/elasticjob-go/elastic/adminhttp"
)

var update = flag.Bool("update", false, "write openapi.json")

// The committed document is the one that the server serves.
func TestOpenAPI_IsCommitted(t *testing.T) {
	url := serve(t, newStore(t), adminhttp.Everyone("li", adminhttp.RoleRead))
	answer, err := http.Get(url + "/api/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	served, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, served, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, pretty.Bytes()) {
		t.Error("openapi.json is not what the server serves; run: go test -run OpenAPI -update .")
	}
}
