package otel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/elasticjob-go/elastic/internal/metrics"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/elasticjob-go/elastic/observe/otel"

// MetricsOptions configure Metrics. The zero value is useful.
type MetricsOptions struct {
	// Job returns the value of the attribute job_name, by the name of a job. It
	// groups jobs where there are too many. Nil means the name itself. It is
	// called once for each job, and should return at once: the jobs of a
	// function that panics or blocks have the value _other.
	Job func(name string) string
}

// Metrics exports the metrics of one scheduler. It is an elastic.Exporter. All
// methods are safe for concurrent use.
//
// The attribute job_name has at most 500 values, and 100 those of histograms;
// further jobs share the value _other. A job that the instance has not had for
// an hour is not reported any more; its histograms stay with the SDK.
type Metrics struct {
	set        *metrics.Set
	histograms [len(metrics.Table)]metric.Float64Histogram // nil for others

	registration metric.Registration

	mu    sync.Mutex
	loop  *metrics.Counts // the waits for the loop that were recorded
	attrs map[recorded]metric.MeasurementOption
}

// recorded is the labels of one histogram.
type recorded struct {
	id     metrics.ID
	labels [2]string
}

// NewMetrics returns Metrics for one scheduler, and registers its instruments
// with a provider. It returns an error if the provider refuses one.
func NewMetrics(provider metric.MeterProvider, o MetricsOptions) (*Metrics, error) {
	if provider == nil {
		return nil, errors.New("make the metrics: the meter provider is nil")
	}
	m := &Metrics{attrs: map[recorded]metric.MeasurementOption{}}
	m.set = metrics.New(metrics.Options{Job: o.Job, Record: m.record})
	if err := m.register(provider.Meter(scope)); err != nil {
		return nil, fmt.Errorf("make the metrics: %w", err)
	}
	return m, nil
}

// Attach takes the state of a scheduler. It returns an error if the Metrics
// have that of another one. elastic.WithExporter calls it.
func (m *Metrics) Attach(stats func() observe.Stats) error { return m.set.Attach(stats) }

// Observe counts an event. elastic.WithExporter calls it.
func (m *Metrics) Observe(e observe.Event) { m.set.Observe(e) }

// ObserveStore counts a request to the store. elastic.WithExporter calls it.
func (m *Metrics) ObserveStore(r store.Request) { m.set.ObserveStore(r) }

// Close ends the reports to the provider.
func (m *Metrics) Close() error {
	if err := m.registration.Unregister(); err != nil {
		return fmt.Errorf("unregister the metrics: %w", err)
	}
	return nil
}

// name returns the name of a metric from which a translation to Prometheus
// makes its name there: it adds the unit, and "total" to counters.
func name(d *metrics.Desc) string {
	n := strings.TrimSuffix(d.Name, "_total")
	switch d.Unit {
	case "s":
		n = strings.TrimSuffix(n, "_seconds")
	case "By":
		n = strings.TrimSuffix(n, "_bytes")
	}
	return strings.TrimSuffix(metrics.Prefix, "_") + "." + n
}

// register makes the instruments. Counters and gauges are read when the SDK
// collects; histograms are recorded as their values come.
func (m *Metrics) register(meter metric.Meter) error {
	var observed [len(metrics.Table)]metric.Float64Observable
	var all []metric.Observable
	var faults []error
	for i := range metrics.Table {
		d := &metrics.Table[i]
		description, unit := metric.WithDescription(d.Help), metric.WithUnit(d.Unit)
		var err error
		switch d.Type {
		case metrics.Counter:
			observed[i], err = meter.Float64ObservableCounter(name(d), description, unit)
		case metrics.Gauge:
			observed[i], err = meter.Float64ObservableGauge(name(d), description, unit)
		case metrics.Histogram:
			bounds := metric.WithExplicitBucketBoundaries(d.Buckets...)
			m.histograms[i], err = meter.Float64Histogram(name(d), description, unit, bounds)
		}
		faults = append(faults, err)
		if observed[i] != nil {
			all = append(all, observed[i])
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	registration, err := meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		for _, s := range m.set.Collect() {
			if s.Counts != nil {
				m.recordLoop(ctx, s)
				continue
			}
			to.ObserveFloat64(observed[s.ID], s.Value, attributes(s.ID, s.Labels))
		}
		return nil
	}, all...)
	m.registration = registration
	return err
}

// attributes returns the labels of a metric.
func attributes(id metrics.ID, labels []string) metric.MeasurementOption {
	all := make([]attribute.KeyValue, len(metrics.Table[id].Labels))
	for i, key := range metrics.Table[id].Labels {
		all[i] = attribute.String(key, labels[i])
	}
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

// record passes a value of a histogram on.
func (m *Metrics) record(id metrics.ID, labels [2]string, v float64) {
	m.histograms[id].Record(context.Background(), v, m.attributesOf(id, labels))
}

// attributesOf returns the attributes of a histogram. They are kept, as they
// are bounded and asked for often.
func (m *Metrics) attributesOf(id metrics.ID, labels [2]string) metric.MeasurementOption {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := recorded{id, labels}
	a := m.attrs[key]
	if a == nil {
		a = attributes(id, labels[:])
		m.attrs[key] = a
	}
	return a
}

// recordLoop records the waits for the scheduler's loop since the last time. Of
// each bucket the mean is recorded as often as there were waits, so the number
// in each bucket and the sum of all are exact.
func (m *Metrics) recordLoop(ctx context.Context, s metrics.Sample) {
	m.mu.Lock()
	before := m.loop
	m.loop = s.Counts
	m.mu.Unlock()
	for i, total := range s.Counts.Buckets {
		n, sum := total, s.Counts.Sums[i]
		if before != nil {
			n -= before.Buckets[i]
			sum -= before.Sums[i]
		}
		for range n {
			m.histograms[s.ID].Record(ctx, sum/float64(n))
		}
	}
}
