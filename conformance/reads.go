package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/elasticjob-go/elastic/store"
)

// reads returns the cases for reads: every client reads at once what was
// written.
func reads() []testCase {
	return []testCase{
		{name: "KV/GetMissing", run: getMissing},
		{name: "KV/CreateGet", run: createGet},
		{name: "KV/CreateExisting", run: createExisting},
		{name: "KV/SetMissing", run: setMissing},
		{name: "KV/DeleteMissing", run: deleteMissing},
		{name: "KV/SetSameValue", run: setSameValue},
		{name: "KV/SetKeepsCreated", run: setKeepsCreated},
		{name: "KV/EmptyValue", run: emptyValue},
		{name: "KV/BinaryValue", run: binaryValue},
		{name: "KV/ValueNotAliased", run: valueNotAliased},
		{name: "KV/ReadYourWrites", run: readYourWrites},
		{name: "KV/FreshReads", run: freshReads},
		{name: "KV/MonotonicReads", run: monotonicReads},
		{name: "KV/CreatedOrder", run: createdOrder},
		{name: "KV/Recreate", run: recreate},
	}
}

func getMissing(t *test) {
	c := t.open()
	c.wantAbsent("a", "a/b/c")
	c.do(nil, store.Create("a", nil))
	c.do(nil, store.Delete("a"))
	c.wantAbsent("a")
}

func createGet(t *test) {
	a, b := t.open(), t.open()
	version := a.do(nil, store.Create("dir/k", []byte("v")))
	for _, c := range []*client{a, b} {
		if e := c.get("dir/k"); string(e.Value) != "v" || e.Version != version || e.Created == 0 || e.Owner != "" {
			t.Fatalf("got %+v, want value v, version %d of the commit, a Created and no Owner", e, version)
		}
	}
	a.wantAbsent("dir")
}

func createExisting(t *test) {
	c := t.open()
	c.do(nil, store.Create("k", []byte("first")))
	before := c.get("k")
	c.conflicts(store.Txn{Do: []store.Op{store.Create("k", []byte("second"))}}, "k", store.Present)
	ss := c.session(0)
	c.conflicts(store.Txn{Session: ss, Do: []store.Op{store.CreateEphemeral("k", []byte("third"))}}, "k", store.Present)
	if after := c.get("k"); string(after.Value) != "first" || after.Version != before.Version || after.Owner != "" {
		t.Fatalf("got %+v, want it untouched: %+v", after, before)
	}
}

func setMissing(t *test) {
	c := t.open()
	c.conflicts(store.Txn{Do: []store.Op{store.Set("k", []byte("v"))}}, "k", store.Absent)
	c.wantAbsent("k")
	c.wantKeys("")
}

func deleteMissing(t *test) {
	c := t.open()
	c.conflicts(store.Txn{Do: []store.Op{store.Delete("k")}}, "k", store.Absent)
	c.do(nil, store.Create("other", nil))
	c.conflicts(store.Txn{Do: []store.Op{store.Set("other", []byte("v")), store.Delete("k")}}, "k", store.Absent)
	c.wantValue("other", "")
}

// Consul has taken a write of the value that is there for no write since 1.6:
// two processes that compare and swap the same bytes would both win.
func setSameValue(t *test) {
	c := t.open()
	f := t.follow(c, "d")
	v1 := c.do(nil, store.Create("d/k", []byte("v")))
	f.until("the create is seen", func() bool { return f.state["d/k"].Version == v1 })
	v2 := c.do(nil, store.Set("d/k", []byte("v")))
	if v1 == v2 || c.get("d/k").Version != v2 {
		t.Fatalf("version %d, then %d, then read %d: want a new one", v1, v2, c.get("d/k").Version)
	}
	c.conflicts(store.Txn{If: []store.Cond{store.At("d/k", v1)}}, "d/k", store.Changed)
	f.until("the write of the same value is seen", func() bool { return f.state["d/k"].Version == v2 })
}

func setKeepsCreated(t *test) {
	c := t.open()
	c.do(nil, store.Create("k", []byte("1")))
	before := c.get("k")
	c.do(nil, store.Set("k", []byte("2")))
	if after := c.get("k"); after.Created != before.Created || after.Version == before.Version {
		t.Fatalf("got %+v after %+v, want the same Created and another Version", after, before)
	}
}

func emptyValue(t *test) {
	c := t.open()
	c.do(nil, store.Create("d/nil", nil), store.Create("d/empty", []byte{}), store.Create("d/set", []byte("full")))
	c.do(nil, store.Set("d/set", nil))
	for _, e := range c.list("d") {
		if len(e.Value) != 0 || len(c.get(e.Key).Value) != 0 {
			t.Fatalf("%s: got %q, want nothing", e.Key, e.Value)
		}
	}
	c.wantKeys("d", "d/empty", "d/nil", "d/set")
}

func binaryValue(t *test) {
	c := t.open()
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	for i, value := range [][]byte{
		all, {0}, {0, 0, 0}, {0xff, 0xfe}, []byte("\xc3\x28 invalid UTF-8"), []byte("\r\n\t "),
	} {
		key := "k" + strconv.Itoa(i)
		c.do(nil, store.Create(key, value))
		if got := c.get(key); !bytes.Equal(got.Value, value) {
			t.Fatalf("got %q, want %q", got.Value, value)
		}
	}
}

func valueNotAliased(t *test) {
	c := t.open()
	f := t.follow(c, "d")
	value := []byte("right")
	c.do(nil, store.Create("d/k", value))
	copy(value, "wrong")
	c.wantValue("d/k", "right")

	f.until("the key is seen", func() bool { return f.state["d/k"].Version != 0 })
	copy(f.state["d/k"].Value, "wrong")
	copy(c.get("d/k").Value, "wrong")
	copy(c.list("d")[0].Value, "wrong")
	c.wantValue("d/k", "right")
	if got := string(c.list("d")[0].Value); got != "right" {
		t.Fatalf("list: got %q after the reader changed its copy", got)
	}
	if got := string(t.follow(c, "d").reset().Entries[0].Value); got != "right" {
		t.Fatalf("watch: got %q after the reader changed its copy", got)
	}
	_ = append(c.get("d/k").Value, "more"...)
	c.wantValue("d/k", "right")
}

func readYourWrites(t *test) {
	c := t.open()
	c.do(nil, store.Create("d/k", nil))
	for i := range 200 {
		version := c.do(nil, store.Set("d/k", []byte(strconv.Itoa(i))))
		if e := c.get("d/k"); e.Version != version {
			t.Fatalf("write %d: got version %d, want %d", i, e.Version, version)
		}
		if e := c.list("d"); len(e) != 1 || e[0].Version != version {
			t.Fatalf("write %d: listed %+v, want version %d", i, e, version)
		}
	}
}

func freshReads(t *test) {
	clients := []*client{t.open(), t.open()}
	clients[0].do(nil, store.Create("d/k", nil))
	for i := range 200 {
		writer, reader := clients[i%2], clients[(i+1)%2]
		version := writer.do(nil, store.Set("d/k", []byte(strconv.Itoa(i))))
		if i%4 < 2 {
			if e := reader.get("d/k"); e.Version != version {
				t.Fatalf("write %d: the other client got version %d, want %d", i, e.Version, version)
			}
		} else if e := reader.list("d"); len(e) != 1 || e[0].Version != version {
			t.Fatalf("write %d: the other client listed %+v, want version %d", i, e, version)
		}
	}
}

func monotonicReads(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/k", []byte("0")))
	ctx, stop := context.WithCancel(t.ctx())
	defer stop()
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		last := 0
		for failed == nil && ctx.Err() == nil {
			e, err := reader.Get(ctx, "d/k")
			if err != nil {
				return // the writer is finished
			}
			if now, _ := strconv.Atoi(string(e.Value)); now < last {
				failed = fmt.Errorf("read %d after %d", now, last)
			} else {
				last = now
			}
		}
	})
	for i := range 300 {
		writer.do(nil, store.Set("d/k", []byte(strconv.Itoa(i))))
	}
	stop()
	wg.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
}

func createdOrder(t *test) {
	clients := []*client{t.open(), t.open(), t.open()}
	var last uint64
	for i := range 30 {
		key := "d" + strconv.Itoa(30-i) + "/k"
		clients[i%3].do(nil, store.Create(key, nil))
		created := clients[(i+1)%3].get(key).Created
		if created <= last {
			t.Fatalf("creation %d: Created %d after %d", i, created, last)
		}
		last = created
	}
}

// Backends differ in the version of a key that was deleted and created again:
// see store.Version.
func recreate(t *test) {
	c := t.open()
	v1 := c.do(nil, store.Create("k", []byte("v")))
	before := c.get("k")
	c.do(nil, store.Delete("k"))
	c.conflicts(store.Txn{If: []store.Cond{store.At("k", v1)}}, "k", store.Absent)
	v2 := c.do(nil, store.Create("k", []byte("v")))
	after := c.get("k")
	if after.Created <= before.Created {
		t.Fatalf("created again: Created %d after %d", after.Created, before.Created)
	}
	if !t.caps.StrongVersions {
		return // v1 may or may not be v2
	}
	if v1 == v2 {
		t.Fatalf("created again: version %d again, with StrongVersions", v2)
	}
	c.conflicts(store.Txn{If: []store.Cond{store.At("k", v1)}, Do: []store.Op{store.Set("k", nil)}}, "k", store.Changed)
}
