package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// wrongClock sets the clock of one place wrong by more than the product
// tolerates. The effect on its own shards is not promised: it runs the fires of
// its own time. The others are not disturbed, and all is right when the clock
// is right again.
func wrongClock(t *testing.T, k kind) {
	l := small
	l.skew = failover.MaxSkew
	f := newFleet(t, k, l)
	for i := range f.jobs {
		f.jobs[i].Misfire = elastic.MisfireOnce
	}
	f.prepare()
	f.start()
	p, touched := f.places[0], map[worker.Shard]bool{}
	for _, by := range []time.Duration{30 * time.Second, -30 * time.Second, time.Hour, -time.Hour} {
		f.Look()
		n := len(f.Lines)
		f.hits("clock " + by.String())
		p.misset(by)
		worker.Until(time.Now().Add(4 * time.Second))
		p.misset(0)
		f.awaitAll()
		for _, l := range f.Lines[n:] {
			touched[worker.Of(l)] = touched[worker.Of(l)] || l.PID == p.PID()
		}
	}
	f.tolerate = func(v checker.Violation) bool {
		return touched[worker.Shard{Job: v.Job, Item: v.Shard}] && (v.Invariant == 2 || v.Invariant == 4 ||
			v.Invariant == 5 && !v.Time.IsZero())
	}
	f.finish()
}

// attack is a change of the store's content by hand.
type attack struct {
	name   string
	key    string
	value  string // empty: the key is deleted
	mended bool   // by the fleet itself; else it must be left as it is, and the old value helps
}

var attacks = []attack{
	{name: "a record deleted", key: "runs/job-0/0", mended: true},
	{name: "a record of garbage", key: "runs/job-0/1", value: "\x00garbage"},
	{name: "a record of a version to come", key: "runs/job-0/2", value: `{"v":99,"state":"idle"}`},
	{name: "an assignment deleted", key: "assignments/job-1", mended: true},
	{name: "an assignment of garbage", key: "assignments/job-1", value: `{"v":1,"owners":7}`},
	{name: "a spec of garbage", key: "jobs/job-2", value: `[]`},
	{name: "a spec of a version to come", key: "jobs/job-2", value: `{"v":99}`},
}

func dataAttacks(t *testing.T, k kind) {
	l := small
	l.ttl = 3 * k.ttl // this takes minutes, and is not about sessions
	f := launch(t, k, l)
	f.Patience = 3 * time.Minute // a record that was repaired is read again once a minute
	for _, a := range attacks {
		f.hits(a.name)
		old := f.put(a.key, a.value)
		job := strings.Split(a.key, "/")[1]
		f.Await("the other jobs to go on after "+a.name, f.goingOn(func(j string) bool { return j != job }))
		if a.mended {
			f.Await("its own job to go on after "+a.name, f.goingOn(func(j string) bool { return j == job }))
			continue
		}
		if got := f.get(a.key); got != a.value {
			t.Errorf("%s: the store has %q, want what is not understood to be left alone", a.name, got)
		}
		f.put(a.key, old)
		f.Await("its own job to go on after the repair of "+a.name, f.goingOn(func(j string) bool { return j == job }))
	}
	f.hits("an instance evicted")
	instance := f.Content(layout.Instances)[0]
	f.put(instance.Key, "")
	i, err := layout.DecodeInstance(instance.Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.places {
		if p.PID() == i.PID {
			f.Act(time.Now(), checker.Cut, p.Process) // its session is lost, though nothing else happened to it
			f.awaitStart(p)
			f.Act(time.Now(), checker.Heal, p.Process)
		}
	}
	f.tolerate = func(v checker.Violation) bool {
		attacked := v.Job == "job-0" || v.Job == "job-1" || v.Job == "job-2"
		return attacked && v.Invariant != 8 && !(v.Invariant == 5 && v.Time.IsZero())
	}
	f.finish()
}

// goingOn reports whether every shard of some jobs has completed a fire that
// was not due yet when this was called.
func (f *fleet) goingOn(job func(string) bool) func() bool {
	now := time.Now()
	return func() bool {
		for _, j := range f.jobs {
			for item := range j.Shards {
				if job(j.Name) && !f.Latest[worker.Shard{Job: j.Name, Item: item}].After(now) {
					return false
				}
			}
		}
		return true
	}
}

// get returns the value of a key; empty if there is none.
func (f *fleet) get(key string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := f.Open(ctx)
	defer s.Close(ctx)
	entry, err := s.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.t.Fatal(err)
	}
	return string(entry.Value)
}

// put writes a key by hand, or deletes it, and returns its old value.
func (f *fleet) put(key, value string) (old string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := f.Open(ctx)
	defer s.Close(ctx)
	for {
		entry, err := s.Get(ctx, key)
		op := store.Create(key, []byte(value))
		var at []store.Cond
		if err == nil {
			old, at = string(entry.Value), []store.Cond{store.At(key, entry.Version)}
			if op = store.Set(key, []byte(value)); value == "" {
				op = store.Delete(key)
			}
		}
		_, err = s.Commit(ctx, store.Txn{If: at, Do: []store.Op{op}})
		if err == nil {
			return old
		}
		if !errors.Is(err, store.ErrConflict) { // another writer was faster
			f.t.Fatalf("write %s by hand: %v", key, err)
		}
	}
}

// saver is a server that can restore an earlier state.
type saver interface {
	Snapshot() string
	Restore(snapshot string)
}

// storeRestored sets the store back by some seconds while the fleet runs: the
// server itself if it has a call for that, and otherwise all records by hand.
// Fires that ran since then run again, which is not excluded. But their fences
// are old, and a resource refuses them until they have caught up. The fleet
// continues by itself.
func storeRestored(t *testing.T, k kind) {
	l := small
	l.ttl = 3 * k.ttl
	f := launch(t, k, l)
	f.hits("store restored")
	f.putBack = true
	old := f.Content("runs")
	snapshot := ""
	s, saves := f.members[0].(saver)
	if saves {
		snapshot = s.Snapshot()
	}
	done := f.goingOn(func(string) bool { return true })
	f.Await("fires that the old records know nothing of", done)
	worker.Until(time.Now().Add(4 * time.Second))
	if saves {
		s.Restore(snapshot)
	} else {
		for _, e := range old {
			f.put(e.Key, string(e.Value))
		}
	}
	f.Await("the fleet to go on", f.goingOn(func(string) bool { return true }))
	f.tolerate = func(v checker.Violation) bool { return v.Invariant != 8 && !(v.Invariant == 5 && v.Time.IsZero()) }
	if g := f.finish(); g.refused == 0 {
		t.Error("the resource had to refuse nothing: nothing is shown")
	}
}

// storeFull fills an etcd to its quota, and makes room again.
func storeFull(t *testing.T, k kind) {
	k.start = func(t *testing.T, nodes int) []member {
		return members(testservers.StartEtcdCluster(t, nodes, "--quota-backend-bytes", "16777216"))
	}
	l := small
	l.nodes = 1
	f := launch(t, k, l)
	f.busy()
	f.Act(time.Now(), checker.Kill, nil) // an entry for the history
	f.hits("store full")
	gateway := func(what string, request any, answer any) error {
		return ask(f.members[0].Addr(), what, request, answer)
	}
	full := false
	for i := 0; i < 64 && !full; i++ {
		err := gateway("kv/put", map[string]any{
			"key":   fmt.Appendf(nil, "filler/%d", i),
			"value": bytes.Repeat([]byte{'x'}, 1<<20),
		}, nil)
		full = err != nil && strings.Contains(err.Error(), "space exceeded")
	}
	if !full {
		t.Fatal("the store is not full: nothing is shown")
	}
	worker.Until(time.Now().Add(f.load.ttl + time.Second))
	f.Look() // no process has died
	var deleted struct {
		Header struct {
			Revision string
		}
	}
	var raised struct {
		Alarms []struct{ MemberID, Alarm string }
	}
	for _, step := range []func() error{
		func() error {
			return gateway("kv/deleterange", map[string]any{
				"key":       []byte("filler/"),
				"range_end": []byte("filler0"),
			}, &deleted)
		},
		func() error {
			return gateway("kv/compaction", map[string]any{"revision": deleted.Header.Revision, "physical": true}, nil)
		},
		func() error { return gateway("maintenance/defragment", map[string]any{}, nil) },
		func() error { return gateway("maintenance/alarm", map[string]any{"action": "GET"}, &raised) },
		func() error {
			for _, a := range raised.Alarms {
				request := map[string]any{"action": "DEACTIVATE", "memberID": a.MemberID, "alarm": a.Alarm}
				if err := gateway("maintenance/alarm", request, nil); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	f.Act(time.Now(), checker.Start, nil)
	f.finish()
}

// ask calls etcd's JSON gateway.
func ask(addr, what string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Post("http://"+addr+"/v3/"+what, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", what, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
