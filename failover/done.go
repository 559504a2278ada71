package failover

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// KeptDone is how many of a shard's last fires a record remembers for jobs that follow. One that is further behind loses the oldest.
const KeptDone = 64

// Done are the fires that a shard has ended last, oldest first, in seconds since 1970: negative if the run did not succeed, zero where
// there is none. Only the records of jobs that others follow have any. It is an array so that records can be compared.
type Done [KeptDone]int64

// add returns d with one more fire. One that is there already, because a clock was wrong, moves to the end: it must not count for two shards.
func (d Done) add(fire time.Time, ok bool) Done {
	at := fire.Unix()
	i := max(0, slices.IndexFunc(d[:], func(x int64) bool { return x == at || x == -at }))
	copy(d[i:], d[i+1:])
	d[KeptDone-1] = at
	if !ok {
		d[KeptDone-1] *= -1
	}
	return d
}

// check returns an error unless the fires are different moments within bounds.
func (d Done) check() error {
	seen := make(map[int64]bool, KeptDone)
	for _, at := range d {
		fire := max(at, -at)
		switch {
		case at == 0:
		case fire < 0 || fire > years.Last:
			return fmt.Errorf("a record that remembers the fire %d, which is not in the years 1970 to 9999", at)
		case seen[fire]:
			return fmt.Errorf("a record that remembers the fire %d twice", at)
		}
		seen[fire] = true
	}
	return nil
}

// Follow has the record remember that its run has ended, for jobs that follow its own. What triggers ask for is nobody's fire.
func (r Record) Follow() Record {
	if r.State == Idle && !r.IsManual() && r.Fence != 0 && r.Fire.Unix() > 0 && r.Fire.Unix() <= years.Last {
		r.Done = r.Done.add(r.Fire, r.Result == Succeeded || r.Result == Skipped)
	}
	return r
}

// Ends is how the fires of a job must have ended for another to follow.
type Ends string

// The ends.
const (
	WhenSucceeded Ends = "succeeded" // each shard has succeeded, or had nothing to do
	WhenEnded     Ends = "ended"     // each shard has ended, in whatever way
)

// Followed is a schedule: the fires that all of some shards have ended.
type Followed []time.Time

// Follows returns the fires that all shards have ended, given their records.
func Follows(records []Record, ends Ends) Followed {
	count := map[int64]int{}
	for _, r := range records {
		for _, at := range r.Done {
			switch {
			case at > 0:
				count[at]++
			case at < 0 && ends == WhenEnded:
				count[-at]++
			}
		}
	}
	var all Followed
	for at, n := range count {
		if n == len(records) {
			all = append(all, time.Unix(at, 0).UTC())
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// Next returns the first fire after t.
func (f Followed) Next(t time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(f, t, func(at, t time.Time) int { return cmp.Or(at.Compare(t), -1) })
	if i == len(f) {
		return time.Time{}
	}
	return f[i]
}

// And returns the fires that are in both.
func (f Followed) And(o Followed) Followed {
	return slices.DeleteFunc(slices.Clone(f), func(t time.Time) bool {
		return !slices.ContainsFunc(o, t.Equal)
	})
}
