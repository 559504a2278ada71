package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Failover measures how long the keys of processes live that are cut off from
// the store from one moment to the next, as the rest of the fleet sees it. open
// returns a store and what cuts it off; other is the rest of the fleet.
func Failover(b *testing.B, ttl time.Duration, other store.Store, open func() (s store.Store, cut func())) {
	const processes = 20 // that die one after the other, evenly over the time between two renewals
	var mean, longest time.Duration
	for round := range b.N {
		prefix := fmt.Sprint("live", round)
		w, err := other.Watch(b.Context(), prefix)
		if err != nil {
			b.Fatal(err)
		}
		var mu sync.Mutex
		died := map[string]time.Time{}
		var wg sync.WaitGroup
		for i := range processes {
			s, cut := open()
			n, err := s.NewSession(b.Context(), store.SessionOptions{TTL: ttl})
			if err != nil {
				b.Fatal(err)
			}
			key := fmt.Sprint(prefix, "/", i)
			Commit(b, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral(key, nil)}})
			wg.Go(func() {
				time.Sleep(ttl/2 + time.Duration(i)*ttl/2/processes) // when it dies
				cut()
				mu.Lock()
				defer mu.Unlock()
				died[key] = time.Now()
			})
		}
		for gone := 0; gone < processes; {
			ctx, cancel := context.WithTimeout(b.Context(), 4*ttl)
			u, err := w.Next(ctx)
			cancel()
			if err != nil {
				b.Fatalf("%d of %d keys are gone: %v", gone, processes, err)
			}
			for _, key := range u.Deleted {
				gone++
				mu.Lock()
				took := time.Since(died[key])
				mu.Unlock()
				mean += took / processes
				longest = max(longest, took)
			}
		}
		wg.Wait()
		w.Close()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ttl.Seconds(), "s/TTL")
	b.ReportMetric(mean.Seconds()/float64(b.N), "s/mean")
	b.ReportMetric(longest.Seconds(), "s/longest")
}
