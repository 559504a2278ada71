package chaos

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
)

var (
	durationFlag = flag.Duration("duration", 20*time.Second, "how long a mix of faults goes on")
	nodesFlag    = flag.Int("nodes", 1, "of how many servers the store is made; rows that need more take them")
	tableFlag    = flag.String("table", "", "file to which each run adds its row of the table")
	peerFlag     = flag.String("peer", "", "worker of another library, to be put through the same; see bench/peers")
)

func TestMain(m *testing.M) { os.Exit(worker.Main(m, "../..")) }
