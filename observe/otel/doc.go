// Package otel exports the metrics and traces of a scheduler by OpenTelemetry.
//
//	metrics, err := otel.NewMetrics(meterProvider, otel.MetricsOptions{})
//	…
//	s, err := elastic.Open(ctx, url, elastic.WithExporter(metrics))
//
// It needs the API of OpenTelemetry alone; the program brings the SDK, with its
// readers, exporters and samplers.
//
// The metrics are those of package observe/prom: a backend that translates them
// to Prometheus has the same names, labels and values, so dashboards and rules
// fit both. They are listed in docs/reference/metrics.md.
//
// Tracing makes spans of runs and of the calls of handlers; see NewTracing.
package otel
