package e2e

import (
	"flag"
	"os"
	"testing"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
)

// Fleets wait most of the time, so more of them can run than there are
// processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set("6")
	}
	os.Exit(worker.Main(m, ".."))
}
