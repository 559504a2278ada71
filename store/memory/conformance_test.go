package memory_test

import (
	"testing"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/conformance/harness"
	"github.com/elasticjob-go/elastic/store/memory"
)

func TestConformance(t *testing.T) { conformance.Run(t, harness.Memory()) }

// The suite must hold for what a weaker backend promises, too.
func TestConformanceOfAWeakStore(t *testing.T) {
	conformance.Run(t, harness.Memory(memory.WeakVersions(), memory.TornLists(3, 0), memory.MaxOps(32)))
}
