package elasticjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// Bounds of what is read of one job. More is named and left out.
const (
	maxShards   = 10_000
	maxNames    = 10_000 // children of any other node
	shownNames  = 5      // of those that are left out
	moreCollect = 3      // further collects until two agree
)

// Jobs returns the names of the namespace's nodes that may be jobs, sorted, and
// those that are not: they have no config.
func (c *Client) Jobs(ctx context.Context) (names []string, err error) {
	if err := c.sync(ctx); err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", c.root, err)
	}
	names, _, err = c.children(ctx, c.root)
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", c.root, err)
	}
	return names, nil
}

// collector is one collect of a job.
type collector struct {
	client *Client
	base   string
	mu     sync.Mutex
	out    *Snapshot
	fatal  error
	names  []string // children of the job's node
	live   []string // IDs of instances
}

// Collect reads a job. A node that can't be read is in Snapshot.Unread. The
// error is for a store that does not answer, and for a job that is not there.
//
// A healthy job that is not running takes 8 reads, 1 for each server and 2 for
// each shard. The nodes of instances, and of the candidates for the leader, are
// read only if a rule looks at them; otherwise a node of the snapshot says only
// that the instance is there, and its Stat is zero.
//
// Values and lists are read in several round trips while Java writes. Settled
// reads until two collects agree.
func (c *Client) Collect(ctx context.Context, job string) (*Snapshot, error) {
	o := &collector{client: c, base: c.root + "/" + job, out: &Snapshot{Job: job, Nodes: map[string]*Node{}}}
	names := o.list(ctx, "")
	if names == nil && o.fatal == nil {
		o.fatal = fmt.Errorf("there is no job %q", job)
	}
	o.names = names
	if !slices.Contains(names, "config") { // a foreign node, perhaps with a large tree below
		return o.end()
	}
	o.all(
		func() { o.value(ctx, "config") },
		func() { o.values(ctx, names, "servers") },
		func() { o.instances(ctx, names) },
		func() { o.values(ctx, names, "trigger") },
		func() { o.shards(ctx, names) },
		func() { o.leader(ctx, names) },
		func() { o.guarantee(ctx, names) },
	)
	o.details(ctx)
	return o.end()
}

// again calls f until it succeeds, a few times, while the store does not
// answer: a connection that was lost is there again in a moment. What f reads
// must be read as a whole.
func again[T any](ctx context.Context, f func() (T, error)) (T, error) {
	const trials, between = 4, time.Second
	for trial := 1; ; trial++ {
		v, err := f()
		if trial == trials || !errors.Is(err, store.ErrUnavailable) || pause(ctx, between) != nil {
			return v, err
		}
	}
}

// Settled collects a job until two collects agree, at most five times. When
// agreed is false, the two snapshots are those of the last two collects, and
// only what both show is a fact.
func (c *Client) Settled(ctx context.Context, job string) (first, second *Snapshot, agreed bool, err error) {
	first, err = c.Collect(ctx, job)
	if err != nil {
		return nil, nil, false, err
	}
	for range 1 + moreCollect {
		second, err = c.Collect(ctx, job)
		if err != nil {
			return nil, nil, false, err
		}
		if first.same(second) {
			return first, second, true, nil
		}
		first, second = second, first
	}
	return second, first, false, nil
}

func (o *collector) end() (*Snapshot, error) {
	o.out.At = time.Now()
	slices.SortFunc(o.out.Unread, func(a, b Unread) int { return strings.Compare(a.Path, b.Path) })
	if o.fatal != nil {
		return nil, fmt.Errorf("read job %s: %w", o.out.Job, o.fatal)
	}
	return o.out, nil
}

// all runs functions side by side. The client bounds what is under way.
func (o *collector) all(fs ...func()) {
	var wg sync.WaitGroup
	for _, f := range fs {
		wg.Go(f)
	}
	wg.Wait()
}

func (o *collector) path(path string) string {
	if path == "" {
		return o.base
	}
	return o.base + "/" + path
}

func (o *collector) unread(path, format string, a ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Unread = append(o.out.Unread, Unread{path, fmt.Sprintf(format, a...)})
}

// failed takes note of an error and reports whether there is nothing to read.
func (o *collector) failed(path string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, zk.ErrNoNode): // it went meanwhile, or was never there
	case errors.Is(err, zk.ErrNoAuth):
		o.unread(path, "the user may not read it")
	default:
		o.mu.Lock()
		o.fatal = err
		o.mu.Unlock()
	}
	return true
}

// value reads a node.
func (o *collector) value(ctx context.Context, path string) {
	data, stat, err := o.client.get(ctx, o.path(path))
	if o.failed(path, err) {
		return
	}
	if len(data) > maxNode {
		o.unread(path, "it has %d bytes, at most %d are read", len(data), maxNode)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Nodes[path] = &Node{Data: data, Stat: statOf(stat)}
}

// list reads the names of a node's children and its stat; nil if there is no
// such node.
func (o *collector) list(ctx context.Context, path string) []string {
	names, stat, err := o.client.children(ctx, o.path(path))
	if o.failed(path, err) {
		return nil
	}
	o.mu.Lock()
	o.out.Nodes[path] = &Node{Stat: statOf(stat)}
	o.mu.Unlock()
	if len(names) > maxNames && path != "sharding" {
		o.unread(path, "it has %d children, the first %d are read", len(names), maxNames)
		names = names[:maxNames]
	}
	if names == nil {
		names = []string{}
	}
	return names
}

// values reads a directory of the job and the values in it.
func (o *collector) values(ctx context.Context, present []string, dir string) {
	if !slices.Contains(present, strings.Split(dir, "/")[0]) {
		return
	}
	var reads []func()
	for _, name := range o.list(ctx, dir) {
		reads = append(reads, func() { o.value(ctx, dir+"/"+name) })
	}
	o.all(reads...)
}

// shards reads the shards. One list tells which marks a shard has, at one
// moment.
func (o *collector) shards(ctx context.Context, present []string) {
	if !slices.Contains(present, "sharding") {
		return
	}
	var reads []func()
	var foreign []string
	items := 0
	for _, name := range o.list(ctx, "sharding") {
		if _, ok := itemNumber(name); !ok {
			foreign = append(foreign, name)
			continue
		}
		if items++; items <= maxShards {
			reads = append(reads, func() { o.shard(ctx, "sharding/"+name) })
		}
	}
	if items > maxShards {
		o.unread("sharding", "it has %d shards, %d are read", items, maxShards)
	}
	if len(foreign) > 0 {
		o.unread("sharding", "children that are not numbers: %d, such as %s; Java fails on them", len(foreign),
			quoted(foreign))
	}
	o.all(reads...)
}

var marks = []string{"instance", "running", "failover", "failovering", "misfire", "disabled"}

func (o *collector) shard(ctx context.Context, path string) {
	names := o.list(ctx, path)
	var reads []func()
	for _, mark := range marks {
		if slices.Contains(names, mark) {
			reads = append(reads, func() { o.mark(ctx, path+"/"+mark) })
		}
	}
	o.all(reads...)
}

// mark reads a mark and the pins on it.
func (o *collector) mark(ctx context.Context, path string) {
	data, stat, err := o.client.get(ctx, o.path(path))
	if o.failed(path, err) {
		return
	}
	o.mu.Lock()
	o.out.Nodes[path] = &Node{Data: clip(data), Stat: statOf(stat)}
	o.mu.Unlock()
	if stat.NumChildren == 0 {
		return
	}
	pins, _, err := o.client.children(ctx, o.path(path))
	if o.failed(path, err) {
		return
	}
	for _, pin := range pins {
		if strings.HasPrefix(pin, pinPrefix) {
			o.value(ctx, path+"/"+pin)
		}
	}
}

// instances reads the IDs of the live instances.
func (o *collector) instances(ctx context.Context, present []string) {
	if slices.Contains(present, "instances") {
		o.live = o.list(ctx, "instances")
	}
}

// details reads what rules look at only in some states of a job: the nodes of
// instances, and of the candidates for the leader.
func (o *collector) details(ctx context.Context) {
	var reads []func()
	whole := o.looksAtInstances()
	for _, id := range o.live {
		path := "instances/" + id
		if whole {
			reads = append(reads, func() { o.value(ctx, path) })
			continue
		}
		o.out.Nodes[path] = &Node{}
	}
	if o.out.at("leader/election/instance") == nil {
		reads = append(reads, func() { o.values(ctx, o.names, "leader/election/latch") })
	}
	o.all(reads...)
}

// looksAtInstances reports whether a rule looks at more of an instance than its
// ID: at the age or the session of its node.
func (o *collector) looksAtInstances() bool {
	if o.out.at("leader/election/instance") == nil {
		return true
	}
	for path := range o.out.Nodes {
		if strings.HasPrefix(path, "sharding/") && strings.HasSuffix(path, "/running") {
			return true
		}
	}
	return slices.ContainsFunc(o.live, func(id string) bool { return o.out.at("servers/"+ipOf(id)) == nil })
}

// leader reads the leader's node and what the leader has to do. Nodes that are
// not there take no read of their own.
func (o *collector) leader(ctx context.Context, present []string) {
	if !slices.Contains(present, "leader") {
		return
	}
	o.all(
		func() { o.value(ctx, "leader/election/instance") },
		func() { o.resharding(ctx) },
		func() { o.values(ctx, present, "leader/failover/items") },
	)
}

func (o *collector) resharding(ctx context.Context) {
	const dir = "leader/sharding"
	var reads []func()
	for _, name := range o.list(ctx, dir) {
		if name == "necessary" || name == "processing" {
			reads = append(reads, func() { o.value(ctx, dir+"/"+name) })
		}
	}
	o.all(reads...)
}

func (o *collector) guarantee(ctx context.Context, present []string) {
	if !slices.Contains(present, "guarantee") {
		return
	}
	o.all(
		func() { o.values(ctx, present, "guarantee/started") },
		func() { o.values(ctx, present, "guarantee/completed") },
	)
}

func statOf(s *zk.Stat) Stat {
	return Stat{
		Created:  time.UnixMilli(s.Ctime).UTC(),
		Modified: time.UnixMilli(s.Mtime).UTC(),
		Czxid:    s.Czxid,
		Mzxid:    s.Mzxid,
		Version:  s.Version,
		Cversion: s.Cversion,
		Session:  s.EphemeralOwner,
	}
}

// clip cuts what is no ID of an instance.
func clip(text string) string {
	const most = 1024
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// quoted lists the first of some names.
func quoted(names []string) string {
	var list []string
	for _, name := range names[:min(len(names), shownNames)] {
		list = append(list, fmt.Sprintf("%.60q", name))
	}
	return strings.Join(list, ", ")
}
