package clustertest

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Residue accepts the records of a job's shards, and reports a record of a
// removed shard, triggers of a removed job, and keys of instances.
func TestResidue_ReportsWhatMustBeGone(t *testing.T) {
	spec := []byte(
		`{"v":2,"state":"job","rev":1,"changed":{"by":"a@1","at":"2020-01-01T00:00:00Z","via":"code"},` +
			`"spec":{"schedule":"@daily","shards":1,"sharding":"sticky","failover":true,"maxAttempts":3,` +
			`"misfire":"once","overlap":"queue","resharded":"2020-01-01T00:00:00Z","since":"2020-01-01T00:00:00Z"}}`,
	)
	record := []byte(`{"v":1,"state":"idle","fire":"2000-01-01T00:00:00Z","fence":7,"attempt":1,` +
		`"started":"2000-01-01T00:00:00Z","ended":"2000-01-01T00:00:01Z","result":"ok"}`)
	content := []store.Entry{
		{Key: layout.JobKey("report"), Value: spec},
		{Key: layout.RunKey("report", 0), Value: record},
		{Key: layout.RunKey("report", 1), Value: record},
		{Key: layout.Signals + "/gone", Value: []byte("{}")},
		{Key: layout.InstanceKey("a@1"), Value: []byte("{}")},
	}
	faults := Residue(content)
	if len(faults) != 3 {
		t.Fatalf("got %q, want 3 faults", faults)
	}
	for i, e := range content[2:] {
		if !strings.Contains(faults[i], e.Key) {
			t.Errorf("fault %d is %q, want one about %s", i, faults[i], e.Key)
		}
	}
}
