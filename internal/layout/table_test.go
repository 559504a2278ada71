package layout

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// Each key that this package makes is of its kind, and no other key is of any.
func TestTable_KindOf(t *testing.T) {
	hash := NewJobSet(nil, false).Hash()
	const id = "0190a1b2-0000-7000-8000-000000000000"
	for key, prefix := range map[string]string{
		InstanceKey("a@1"):       Instances,
		HeartbeatKey("a@1"):      Heartbeats,
		ClockKey("a@1"):          Clocks,
		SetKey(hash, 0):          JobSets,
		SetKey(hash, 12):         JobSets,
		JobKey("report"):         Jobs,
		AssignmentKey("report"):  Assignments,
		SignalsKey("report"):     Signals,
		CordonKey("web-1"):       Cordons,
		CordonKey("web-1@k"):     Cordons,
		CordonKey(Namespace):     Cordons,
		RunKey("report", 7):      Runs,
		RevisionKey("report", 9): Revisions,
		AuditKey(id):             Audits,
	} {
		k := KindOf(key)
		if k == nil || k.Prefix != prefix {
			t.Errorf("%s: got %v, want the kind %s", key, k, prefix)
			continue
		}
		if depth := strings.Count(key, "/") + 1; k.Depth != depth {
			t.Errorf("%s has %d elements, and the table says %d", key, depth, k.Depth)
		}
		if job, ok := JobOf(key); ok != k.OfJob || ok && job != "report" {
			t.Errorf("%s is of the job %q, %t", key, job, ok)
		}
	}
	for _, key := range []string{
		"", "jobs", "jobs/", "jobs/a/b", "job/a", "runs/report", "runs/report/x", "revisions/report", "revisions/report/8", "revisions/report/01", "revisions/a/b/1",
		"jobsets/x/0", "jobsets/" + hash, "jobsets/" + hash + "/-1", "audit/x", "audit/" + strings.ToUpper(id), "cordons/@x", "clocks/a/b", "x/y",
	} {
		if k := KindOf(key); k != nil {
			t.Errorf("%q is of the kind %s", key, k.Prefix)
		}
	}
}

// Every kind says all that the page about keys shows, and no value may be
// larger than a store takes.
func TestTable_Complete(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Table {
		for name, text := range map[string]string{"content": k.Content, "lifetime": k.Lifetime, "writer": k.Writer, "reader": k.Reader, "size": k.Size} {
			if text == "" || len(text) > 200 {
				t.Errorf("%s: the %s has %d characters", k.Prefix, name, len(text))
			}
		}
		if seen[k.Prefix] || !strings.HasPrefix(k.Form, k.Prefix+"/") {
			t.Errorf("%s is there twice, or has the form %s", k.Prefix, k.Form)
		}
		seen[k.Prefix] = true
		if k.Bound <= 0 || k.Bound > store.SmallestValue {
			t.Errorf("%s is bounded by %d bytes, and a store may take %d", k.Prefix, k.Bound, store.SmallestValue)
		}
	}
	for name, d := range documents {
		if len(d.stored) > 2<<10 {
			t.Errorf("%s has %d bytes", name, len(d.stored))
		}
	}
}
