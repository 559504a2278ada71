// Package prom exports the metrics of a scheduler to Prometheus.
//
//	metrics := prom.New(prom.Options{})
//	s, err := elastic.Open(ctx, url, elastic.WithExporter(metrics))
//	…
//	http.Handle("/metrics", metrics.Handler())
//
// A program that has a registry registers the Collector there, in place of
// using the handler: registry.MustRegister(metrics).
//
// The metrics are listed in docs/reference/metrics.md. No label has a shard, a
// fire, an error or an instance. The label job_name has at most 500 values, and
// 100 those of histograms; further jobs share the value _other, and
// elasticjob_metrics_jobs_folded tells how many do. So a process has less than
// 9,000 series, however many jobs it has. The series of a job disappear an hour
// after the instance has had it last.
package prom

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/elasticjob-go/elastic/internal/metrics"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Options configure a Collector. The zero value is useful.
type Options struct {
	// Job returns the value of the label job_name, by the name of a job. It
	// groups jobs where there are too many. Nil means the name itself. It is
	// called once for each job, and should return at once: the jobs of a
	// function that panics or blocks have the value _other.
	Job func(name string) string
}

// Collector has the metrics of one scheduler. It is an elastic.Exporter and a
// prometheus.Collector. All methods are safe for concurrent use.
type Collector struct{ set *metrics.Set }

// New returns a Collector for one scheduler.
func New(o Options) *Collector {
	return &Collector{metrics.New(metrics.Options{Job: o.Job})}
}

// Attach takes the state of a scheduler. It returns an error if the Collector
// has that of another one. elastic.WithExporter calls it.
func (c *Collector) Attach(stats func() observe.Stats) error { return c.set.Attach(stats) }

// Observe counts an event. elastic.WithExporter calls it.
func (c *Collector) Observe(e observe.Event) { c.set.Observe(e) }

// ObserveStore counts a request to the store. elastic.WithExporter calls it.
func (c *Collector) ObserveStore(r store.Request) { c.set.ObserveStore(r) }

// descs are the descriptions of all metrics.
var descs = func() (all [len(metrics.Table)]*prometheus.Desc) {
	for i := range metrics.Table {
		d := &metrics.Table[i]
		all[i] = prometheus.NewDesc(d.FullName(), d.Help, d.Labels, nil)
	}
	return all
}()

// Describe sends the description of each metric.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descs {
		to <- d
	}
}

// Collect sends each metric as it is at this moment. It waits up to a second
// for the scheduler's state.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.set.Collect() {
		to <- metric(s)
	}
}

// metric returns a sample as Prometheus has it.
func metric(s metrics.Sample) prometheus.Metric {
	desc := descs[s.ID]
	var m prometheus.Metric
	var err error
	switch {
	case s.Counts != nil:
		buckets := make(map[float64]uint64, len(s.Counts.Bounds))
		total := uint64(0)
		for i, bound := range s.Counts.Bounds {
			total += s.Counts.Buckets[i]
			buckets[bound] = total
		}
		m, err = prometheus.NewConstHistogram(desc, s.Counts.Total(), s.Counts.Sum, buckets, s.Labels...)
	case metrics.Table[s.ID].Type == metrics.Counter:
		m, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.Value, s.Labels...)
	default:
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, s.Labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

const (
	// scrapeTimeout bounds how long a scrape may take. Prometheus gives up
	// after ten seconds, too, unless it is told otherwise.
	scrapeTimeout = 10 * time.Second

	// maxScrapes bounds the scrapes under way. Others get the status 503.
	maxScrapes = 4
)

// Handler returns a handler that serves the metrics of the scheduler, of Go's
// runtime and of the process. A client that takes more than ten seconds to read
// them is cut off.
func (c *Collector) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return cut(promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}), scrapeTimeout)
}

// cut ends a request that takes long. What is served is in memory before the
// first byte is written, so a slow reader holds no lock.
func cut(h http.Handler, after time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A writer without deadlines is that of a test, or of a program that
		// bounds its requests itself.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(after))
		h.ServeHTTP(w, r)
	})
}
