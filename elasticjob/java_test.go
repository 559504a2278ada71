package elasticjob

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
)

// java is a scripted ElasticJob: it issues the store's operations of one
// instance one by one, in the order that was traced from genuine runs. What an
// operation does is Curator's: parents are made, a delete is recursive, and
// NoNode and NodeExists are ignored.
type java struct {
	t    *testing.T
	conn *zk.Conn
	base string // of the job
	id   string
}

// step is one operation.
type step struct {
	name string
	do   func()
}

func (j *java) path(path string) string { return strings.TrimSuffix(j.base+"/"+path, "/") }

func (j *java) exists(path string) bool {
	there, _, err := j.conn.Exists(j.path(path))
	if err != nil {
		j.t.Fatalf("java: exists %s: %v", path, err)
	}
	return there
}

func (j *java) create(path, value string, flags int32) {
	for i := 1; i < len(j.path(path)); i++ {
		if j.path(path)[i] == '/' {
			j.conn.Create(j.path(path)[:i], nil, 0, zk.WorldACL(zk.PermAll)) // mostly there
		}
	}
	_, err := j.conn.Create(j.path(path), []byte(value), flags, zk.WorldACL(zk.PermAll))
	if err != nil && err != zk.ErrNodeExists {
		j.t.Fatalf("java: create %s: %v", path, err)
	}
}

// remove is Curator's deletingChildrenIfNeeded.
func (j *java) remove(path string) {
	for {
		err := j.conn.Delete(j.path(path), -1)
		if err == nil || err == zk.ErrNoNode {
			return
		}
		if err != zk.ErrNotEmpty {
			j.t.Fatalf("java: delete %s: %v", path, err)
		}
		names, _, _ := j.conn.Children(j.path(path))
		for _, name := range names {
			j.conn.Delete(j.path(path)+"/"+name, -1)
		}
	}
}

func (j *java) value(path string) string {
	data, _, err := j.conn.Get(j.path(path))
	if err != nil && err != zk.ErrNoNode {
		j.t.Fatalf("java: get %s: %v", path, err)
	}
	return string(data)
}

// put is persist: create, or set if it is there.
func (j *java) put(path, value string) {
	if j.exists(path) {
		j.conn.Set(j.path(path), []byte(value), -1)
		return
	}
	j.create(path, value, 0)
}

// crashListener returns the steps of a survivor when an instance has gone: D3,
// then the claim and the run.
func (j *java) crashListener(item int) []step {
	var absent bool
	in := func(mark string) string { return shardPath(item, mark) }
	queue := fmt.Sprintf("leader/failover/items/%d", item)
	steps := []step{
		{"D3 look for failover", func() { absent = !j.exists(in("failover")) }},
		{"D3 create the item", func() {
			if absent {
				j.create(queue, "", 0)
			}
		}},
		{"D3 delete running", func() { j.remove(in("running")) }},
		{"F4 claim", func() { j.remove(in("failover")); j.create(in("failover"), j.id, zk.FlagEphemeral) }},
		{"F5 failovering", func() { j.put(in("failovering"), j.id) }},
		{"F6 delete the item", func() { j.remove(queue) }},
	}
	return append(steps, j.run(item)...)
}

// run is an execution of a shard: G2 to G9.
func (j *java) run(item int) []step {
	in := func(mark string) string { return shardPath(item, mark) }
	runs := false
	return []step{
		{"G2 look for running", func() { runs = !j.exists(in("running")) }},
		{"G5 begin", func() {
			if runs {
				j.create(in("running"), j.id, 0)
			}
		}},
		{"G7 end", func() {
			if runs {
				j.remove(in("running"))
			}
		}},
		{"G8 delete failover", func() {
			if runs {
				j.remove(in("failover"))
			}
		}},
		{"G9 delete failovering", func() {
			if runs {
				j.remove(in("failovering"))
			}
		}},
	}
}

// beginRun is an execution that has begun and goes on.
func (j *java) beginRun(item int) []step { return j.run(item)[:2] }

// start is an instance that registers: its server, then itself.
func (j *java) start() []step {
	return []step{
		{"register the server", func() { j.put("servers/"+ipOf(j.id), "ENABLED") }},
		{"register the instance", func() {
			j.remove("instances/" + j.id)
			j.create("instances/"+j.id, "jobInstanceId: "+j.id+"\nserverIp: "+ipOf(j.id)+"\n", zk.FlagEphemeral)
		}},
	}
}

// replaceMark is a run of another owner that ends and begins: the mark is
// deleted and created again, and has version 0 again.
func (j *java) replaceMark(item int) []step {
	path := shardPath(item, "running")
	return []step{
		{"delete the old mark", func() { j.remove(path) }},
		{"create another", func() { j.create(path, j.id, 0) }},
	}
}

// reshard returns the leader's steps once nothing runs.
func (j *java) reshard(items int) []step {
	return []step{
		{"wait for running", func() {}},
		{"commit the assignment", func() {
			for item := range items {
				if j.exists(shardPath(item, "running")) {
					return
				}
			}
			for item := range items {
				j.put(shardPath(item, "instance"), j.id)
			}
			j.remove("leader/sharding/necessary")
		}},
	}
}

func do(steps []step) {
	for _, s := range steps {
		s.do()
	}
}
