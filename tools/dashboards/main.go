// Command dashboards writes what is made from the table of metrics: the page
// about them, dashboards for Grafana, and rules for Prometheus.
//
//	go run ./tools/dashboards
//
// A test compares what is committed with what it would write.
package main

import (
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	for _, path := range slices.Sorted(maps.Keys(files())) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(path, files()[path], 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Println(path)
	}
}

// files returns the contents of all files that are generated, by their paths
// from the root of the repository.
func files() map[string][]byte {
	return map[string][]byte{
		"docs/reference/metrics.md":   []byte(metricsPage()),
		"docs/prometheus/rules.yaml":  []byte(recordingRules()),
		"docs/prometheus/alerts.yaml": []byte(alertRules("elasticjob-alerts", alerts)),
		"docs/prometheus/fleet.yaml":  []byte(alertRules("elasticjob-fleet", fleetAlerts)),
		"docs/grafana/fleet.json":     fleetBoard().encode(),
		"docs/grafana/job.json":       jobBoard().encode(),
		"docs/grafana/instance.json":  instanceBoard().encode(),
	}
}
