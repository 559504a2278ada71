package memory_test

import (
	"flag"
	"os"
	"testing"
)

// Most cases of the suite wait for a TTL most of the time, so more of them can
// run than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	os.Exit(m.Run())
}
