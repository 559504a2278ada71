package integration

import (
	"context"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/integration/clustertest"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// owners returns the names of the owners of a job's shards.
func (c *cluster) owners(job string) []string {
	for _, e := range c.server.Dump() {
		if e.Key != layout.AssignmentKey(job) {
			continue
		}
		a, err := layout.DecodeAssignment(e.Value)
		if err != nil {
			c.t.Fatal(err)
		}
		names := make([]string, len(a.Owners))
		for i, id := range a.Owners {
			names[i] = layout.InstanceName(id)
		}
		return names
	}
	return nil
}

// balanced reports whether exactly these instances own the job's shards,
// evenly.
func (c *cluster) balanced(job string, names ...string) bool {
	counts := map[string]int{}
	for _, name := range c.owners(job) {
		counts[name]++
	}
	least, most := 1<<30, 0
	for _, n := range counts {
		least, most = min(least, n), max(most, n)
	}
	for _, name := range names {
		if counts[name] == 0 {
			return false
		}
	}
	return len(counts) == len(names) && most-least <= 1
}

// record returns the record of a shard.
func (c *cluster) record(job string, shard int) failover.Record {
	for _, e := range c.server.Dump() {
		if e.Key == layout.RunKey(job, shard) {
			r, err := failover.Decode(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return r
		}
	}
	return failover.Record{}
}

// put writes a key, as an operator or another program would.
func (c *cluster) put(key string, value []byte) {
	c.t.Helper()
	admin := c.server.Connect(clustertest.Operator)
	defer admin.Close(context.Background())
	op := store.Create(key, value)
	if _, err := admin.Get(context.Background(), key); err == nil {
		op = store.Set(key, value)
	}
	if _, err := admin.Commit(context.Background(), store.Txn{Do: []store.Op{op}}); err != nil {
		c.t.Fatal(err)
	}
}

// delete deletes a key, as an operator would.
func (c *cluster) delete(key string) {
	c.t.Helper()
	admin := c.server.Connect(clustertest.Operator)
	defer admin.Close(context.Background())
	if _, err := admin.Commit(context.Background(), store.Txn{Do: []store.Op{store.Delete(key)}}); err != nil {
		c.t.Fatal(err)
	}
}

func deleteOf(key string) store.Txn { return store.Txn{Do: []store.Op{store.Delete(key)}} }

// epoch returns the epoch of a job's assignment.
func (c *cluster) epoch(job string) uint64 {
	c.t.Helper()
	for _, e := range c.server.Dump() {
		if e.Key == layout.AssignmentKey(job) {
			a, err := layout.DecodeAssignment(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return a.Epoch
		}
	}
	return 0
}
