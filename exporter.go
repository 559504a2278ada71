package elastic

import (
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Exporter receives all that a scheduler tells about itself, to export it:
// packages observe/prom and observe/otel have one each. An exporter belongs to
// one scheduler.
//
// Whatever an exporter does, it delays no run and no request. If it is slow, it
// misses events and requests, and is told how many.
type Exporter interface {
	// Attach is called once, before anything else. stats is
	// [Scheduler.Stats]; the exporter can call it at any time from then on. If
	// Attach returns an error, Open or New returns it.
	Attach(stats func() observe.Stats) error

	// Observe is called with all events, as a function given to [WithEvents].
	Observe(Event)

	// ObserveStore is called with the requests to the store, one at a time. It
	// can be called at the same time as Observe. It is called if the store is a
	// [store.Portable], as those of Open are.
	//
	// [store.Portable]: https://pkg.go.dev/github.com/elasticjob-go/elastic/store#Portable
	ObserveStore(store.Request)
}

// WithExporter exports what the scheduler tells about itself. The option can be
// given more than once.
func WithExporter(x Exporter) Option {
	return func(c *config) {
		if guard.IsNil(x) {
			c.faults.Add("option WithExporter: the exporter is nil")
			return
		}
		c.exporters = append(c.exporters, x)
		c.observers = append(c.observers, x.Observe)
	}
}

// Stats returns the state of this instance at this moment, for metrics. It does
// not use the store. It waits for the scheduler's loop, which answers at once
// unless something blocks it: then Stats returns the earlier state after a
// second. It can be called at any time.
func (s *Scheduler) Stats() observe.Stats {
	stats := s.engine.Stats()
	stats.Namespace = s.namespace
	stats.EventsDropped = s.events.dropped.Load()
	if s.history != nil {
		h := s.history.Stats()
		stats.History = &observe.HistoryStats{
			Written:    h.Written,
			Dropped:    h.Dropped,
			Errors:     h.Errors,
			BufferRows: h.BufferRows,
			SpoolBytes: h.SpoolBytes,
			Lag:        h.Lag,
		}
	}
	return stats
}

// Health returns what a probe needs to know. It waits for nothing, and can be
// called at any time. Package observe/health makes HTTP probes of it.
func (s *Scheduler) Health() observe.Health { return s.engine.Health() }

// attach gives the scheduler to its exporters.
func (s *Scheduler) attach(exporters []Exporter) error {
	told, canTell := s.store.(interface {
		Observe(func(store.Request)) func()
	})
	var faults []error
	for i, x := range exporters {
		err, fault := guard.Call(guard.Patience, func() error { return x.Attach(s.Stats) })
		if fault != nil {
			err = fmt.Errorf("its Attach %w", fault)
		}
		if err != nil {
			text, _ := guard.Show(err)
			faults = append(faults, &guard.Error{Err: err, Text: fmt.Sprintf("attach exporter %d: %s", i+1, text)})
			continue
		}
		if canTell {
			s.unobserve = append(s.unobserve, told.Observe(x.ObserveStore))
		}
	}
	return errors.Join(faults...)
}
