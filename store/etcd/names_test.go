package etcd

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A host of the URL is not a server: its name may have several addresses, of
// which any may be dead, and the name server may be away.
func TestNames_MayHaveDeadAddresses(t *testing.T) {
	storetest.NameWithDeadAddresses(t, backend(server(t)))
}

func TestNames_SessionsOutliveDeadAddresses(t *testing.T) {
	storetest.NameGetsDeadAddresses(t, backend(server(t)), 10*time.Second)
}
