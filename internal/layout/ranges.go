package layout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Shards is a set of shards. It is stored as text in which neighbours
// are one range, such as "0-99,105", so that ten thousand shards stay small.
type Shards []int

// MarshalText writes the ranges.
func (s Shards) MarshalText() ([]byte, error) {
	if !slices.IsSorted(s) {
		s = slices.Sorted(slices.Values(s))
	}
	var b []byte
	for i := 0; i < len(s); {
		first := i
		for i++; i < len(s) && s[i] <= s[i-1]+1; i++ { // one that is there twice is one
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(s[first]), 10)
		if s[i-1] > s[first] {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(s[i-1]), 10)
		}
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote, and refuses any other form.
func (s *Shards) UnmarshalText(text []byte) error {
	var all Shards
	last := -2
	for part := range strings.SplitSeq(string(text), ",") {
		from, to, err := parseRange(part)
		if err != nil {
			return fmt.Errorf("shards %.40q: %w", text, err)
		}
		if from <= last+1 {
			return fmt.Errorf("shards %.40q: want ranges in order that do not touch", text)
		}
		for shard := from; shard <= to; shard++ {
			all = append(all, shard)
		}
		last = to
	}
	*s = all
	return nil
}

// parseRange reads "7", or "0-99" with at least two shards.
func parseRange(text string) (from, to int, err error) {
	first, last, isRange := strings.Cut(text, "-")
	if from, err = parseShard(first); err != nil || !isRange {
		return from, from, err
	}
	if to, err = parseShard(last); err != nil {
		return 0, 0, err
	}
	if to <= from {
		return 0, 0, fmt.Errorf("the range %.40q ends before it begins", text)
	}
	return from, to, nil
}

func parseShard(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= MaxShards || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("%.40q is not a shard: want a number of 0 to %d", text, MaxShards-1)
	}
	return n, nil
}

// check returns an error unless the shards are sorted and can be stored.
func (s Shards) check() error {
	if n := len(s); n > 0 && (!slices.IsSorted(s) || s[0] < 0 || s[n-1] >= MaxShards) {
		return fmt.Errorf("its shards must be sorted, and 0 to %d", MaxShards-1)
	}
	return nil
}
