package consul

import (
	"testing"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/conformance/harness"
)

func TestConformance(t *testing.T) { conformance.Run(t, harness.Consul(t)) }
