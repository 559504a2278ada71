package metrics

import "slices"

// Counts are the contents of a histogram.
type Counts struct {
	Bounds  []float64
	Buckets []uint64 // not cumulative; one more than Bounds
	Sum     float64

	// Sums are the sums by bucket. Only those of LoopDelay have them.
	Sums []float64
}

func newCounts(id ID) *Counts {
	bounds := Table[id].Buckets
	return &Counts{Bounds: bounds, Buckets: make([]uint64, len(bounds)+1)}
}

func (c *Counts) add(v float64) {
	i, _ := slices.BinarySearch(c.Bounds, v)
	c.Buckets[i]++
	c.Sum += v
}

func (c *Counts) clone() *Counts {
	return &Counts{
		Bounds:  c.Bounds,
		Buckets: slices.Clone(c.Buckets),
		Sum:     c.Sum,
		Sums:    slices.Clone(c.Sums),
	}
}

// Total returns the number of values.
func (c *Counts) Total() uint64 {
	n := uint64(0)
	for _, k := range c.Buckets {
		n += k
	}
	return n
}
