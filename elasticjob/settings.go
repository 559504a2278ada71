package elasticjob

import (
	"context"
	"slices"
)

// Settings reads the part of a job that an import needs: its configuration, the
// state of its servers, and its disabled shards. It takes 3 reads, 1 for each
// server and 1 for each shard. Collect reads marks and instances as well.
//
// The snapshot of a node that is not a job of ElasticJob has no config. Errors
// are those of [Client.Collect].
func (c *Client) Settings(ctx context.Context, job string) (*Snapshot, error) {
	o := &collector{
		client: c,
		base:   c.root + "/" + job,
		out:    &Snapshot{Job: job, Nodes: map[string]*Node{}},
	}
	o.value(ctx, "config")
	config := o.out.at("config")
	if config == nil {
		return o.end()
	}
	reads := []func(){
		func() { o.value(ctx, "") }, // the class name, in ElasticJob 3.0
		func() { o.values(ctx, []string{"servers"}, "servers") },
	}
	// ReadConfig's error is reported later. A job that it refuses is not
	// imported.
	if parsed, err := ReadConfig(config.Data, ""); err == nil {
		for item := range min(parsed.Shards, maxShards) {
			reads = append(reads, func() { o.value(ctx, shardPath(item, "disabled")) })
		}
	}
	o.all(reads...)
	return o.end()
}

// disabledShards returns the disabled shards of a job, sorted. Marks of shards
// that the job does not have are left out.
func (f *facts) disabledShards() (items []int) {
	for _, item := range f.items {
		if item < f.config.Shards && f.s.at(shardPath(item, "disabled")) != nil {
			items = append(items, item)
		}
	}
	slices.Sort(items)
	return items
}
