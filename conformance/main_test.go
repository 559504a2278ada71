package conformance

import (
	"flag"
	"os"
	"testing"
	"time"
)

// Most cases wait most of the time, so more of them can run than there are
// processors. Here failures are waited for, too.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	patience = 2 * time.Second
	os.Exit(m.Run())
}
