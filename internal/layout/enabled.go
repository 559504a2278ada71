package layout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// EnabledShards holds since when shards that were disabled are not. It is
// stored as a list of moments, each with its shards, so that ten thousand
// shards stay small. More than maxEnabled moments are not kept: shards of older
// ones count from the oldest that is.
type EnabledShards map[int]time.Time

// maxEnabled is how many moments are kept.
const maxEnabled = 64

type enabledDoc struct {
	Since  time.Time `json:"since"`
	Shards []int     `json:"shards"`
}

// MarshalJSON writes the moments, oldest first.
func (e EnabledShards) MarshalJSON() ([]byte, error) {
	groups := map[time.Time][]int{}
	for _, shard := range slices.Sorted(maps.Keys(e)) {
		at := years.Clamp(e[shard])
		groups[at] = append(groups[at], shard)
	}
	moments := slices.SortedFunc(maps.Keys(groups), time.Time.Compare)
	for len(moments) > maxEnabled {
		oldest, next := moments[0], moments[1]
		groups[next] = append(groups[oldest], groups[next]...)
		slices.Sort(groups[next])
		moments = moments[1:]
	}
	doc := make([]enabledDoc, 0, len(moments))
	for _, at := range moments {
		doc = append(doc, enabledDoc{at, groups[at]})
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *EnabledShards) UnmarshalJSON(b []byte) error {
	var doc []enabledDoc
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*e = EnabledShards{}
	for _, group := range doc {
		for _, shard := range group.Shards {
			(*e)[shard] = group.Since
		}
	}
	return nil
}

// check returns an error unless the shards can be written again.
func (e EnabledShards) check() error {
	for shard, at := range e {
		if shard < 0 || shard >= MaxShards {
			return fmt.Errorf("a job that enabled the shard %d: want 0 to %d", shard, MaxShards-1)
		}
		if err := within("a job", at); err != nil {
			return err
		}
	}
	return nil
}
