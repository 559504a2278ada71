package main

import "github.com/elasticjob-go/elastic/internal/metrics"

// metricsPage returns the page that lists the metrics.
func metricsPage() string {
	return `# Metrics

<!-- Written by: go run ./tools/dashboards -->

What does each metric mean? Packages ` + "`observe/prom`" + ` and ` + "`observe/otel`" + `
export the same ones. [Watching a fleet](../guide/watching.md) says how to turn
them on.

The label of a job is ` + "`job_name`" + `, because Prometheus sets a label ` + "`job`" + ` itself.
No label has a shard, a fire, an error or an instance: the scraper adds
` + "`instance`" + `.
The label ` + "`job_name`" + ` has at most 500 values in a process, and 100 those of
histograms. Further jobs share the value ` + "`_other`" + `. So a process has less than
9,000 series. The series of a job disappear an hour after the instance has had
it last.

` + metrics.Markdown(metrics.Table[:]) + `
## Of the whole fleet

Instances do not export these, as a fleet that is dead exports nothing. The
server that shows the fleet will; this version has none yet.

` + metrics.Markdown(metrics.Fleet)
}
