package elasticjob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// pinPrefix begins the name of a pin. A pin is a child of a mark that is about
// to be deleted: a mark that is deleted and created again has version 0 again
// but no such child, so that a transaction which deletes the pin and the mark
// can't hit another mark than the one that was examined.
const pinPrefix = "doctor-"

func isPin(path string) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], pinPrefix)
}

// Audit is one write of a repair. It is reported before it is sent, so that it
// can be put back by hand whatever happens.
type Audit struct {
	Time    time.Time `json:"time"`
	Job     string    `json:"job"`
	Rules   []Rule    `json:"rules"`
	Write   string    `json:"write"` // delete or create
	Path    string    `json:"path"`
	Value   string    `json:"value"`
	Czxid   int64     `json:"czxid,omitempty"`
	Version int32     `json:"version"`
	Session int64     `json:"session,omitempty"` // of an ephemeral node
	Undo    string    `json:"undo"`              // the command of zkCli.sh that takes it back
}

// errMoved is a repair whose facts no longer held when they were read again.
// Nothing was changed.
var errMoved = errors.New("nothing was changed")

func moved(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errMoved, fmt.Sprintf(format, a...))
}

// repair is one transaction of a job.
type repair struct {
	client *Client
	base   string
	change change
	nonce  string
	pinned []string // pins that were created, or may have been
}

// join puts the changes of several findings together.
func join(list []*Finding) change {
	var all change
	for _, f := range list {
		c := f.change
		for _, m := range c.deletes {
			if !slices.ContainsFunc(all.deletes, func(o mark) bool { return o.path == m.path }) {
				all.deletes = append(all.deletes, m)
			}
		}
		for _, m := range c.creates {
			if !slices.ContainsFunc(all.creates, func(o making) bool { return o.path == m.path }) {
				all.creates = append(all.creates, m)
			}
		}
		all.gone = append(all.gone, c.gone...)
		all.live = append(all.live, c.live...)
		all.missing = append(all.missing, c.missing...)
	}
	return all
}

// repairAll makes the changes of findings in one transaction. audit is called
// with each write before it is sent. The error is errMoved if nothing was
// changed because the facts did; store.ErrUnknown if the answer was lost.
func (c *Client) repairAll(ctx context.Context, job string, list []*Finding, audit func(Audit)) error {
	r := &repair{
		client: c,
		base:   c.root + "/" + job,
		change: join(list),
		nonce:  pinPrefix + strings.ToLower(rand.Text()),
	}
	err := r.run(ctx, func(ops []any) {
		for _, a := range r.audits(job, list, ops) {
			audit(a)
		}
	})
	r.unpin()
	return err
}

func (r *repair) path(path string) string { return r.base + "/" + path }

// pins reports whether a mark is pinned. An ephemeral node can have no
// children, and the name of a pin is never used again.
func pins(m mark) bool { return m.session == 0 && !isPin(m.path) }

func (r *repair) run(ctx context.Context, sending func(ops []any)) error {
	for _, m := range r.change.deletes {
		if !pins(m) {
			continue
		}
		pin := r.path(m.path) + "/" + r.nonce
		r.pinned = append(r.pinned, pin)
		_, err := call(ctx, r.client, func() (string, error) { return r.client.conn.Create(pin, nil, 0, r.client.acl) })
		switch {
		case errors.Is(err, zk.ErrNoNode):
			return moved("%s is gone", m.path)
		case errors.Is(err, zk.ErrNoChildrenForEphemerals):
			return moved("%s is another node", m.path)
		case err != nil:
			return err
		}
	}
	if len(r.pinned) == 0 { // a write of ours is as good as a sync
		if err := r.client.sync(ctx); err != nil {
			return err
		}
	}
	parents, err := r.check(ctx)
	if err != nil {
		return err
	}
	ops := r.ops(parents)
	sending(ops)
	_, err = call(ctx, r.client, func() ([]zk.MultiResponse, error) {
		replies, err := r.client.conn.Multi(ops...)
		for _, reply := range replies {
			if err == nil {
				err = reply.Error
			}
		}
		return replies, err
	})
	switch {
	case err == nil:
		r.pinned = nil
		return nil
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion), errors.Is(err, zk.ErrNotEmpty),
		errors.Is(err, zk.ErrNodeExists):
		return moved("the store refused the transaction: %v", err)
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return err
}

// check reads everything that the change rests on again, in one round trip, and
// returns the parents of new nodes that are missing.
func (r *repair) check(ctx context.Context) (parents []string, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var faults []error
	look := func(path string, judge func(stat *zk.Stat, value string) error) {
		wg.Go(func() {
			value, stat, err := r.client.get(ctx, r.path(path))
			if errors.Is(err, zk.ErrNoNode) {
				stat, err = nil, nil
			}
			if err == nil {
				err = judge(stat, value)
			}
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, err)
		})
	}
	for _, m := range r.change.deletes {
		look(m.path, func(stat *zk.Stat, value string) error {
			switch {
			case stat == nil:
				return moved("%s is gone", m.path)
			case stat.Czxid != m.czxid, stat.Version != m.version, clip(value) != m.value:
				return moved("%s is another mark", m.path)
			case pins(m) && stat.NumChildren != 1:
				return moved("another doctor is at %s", m.path)
			}
			return nil
		})
	}
	for _, id := range r.change.gone {
		look("instances/"+id, func(stat *zk.Stat, _ string) error {
			if stat != nil {
				return moved("%s is back", id)
			}
			return nil
		})
	}
	for _, id := range r.change.live {
		look("instances/"+id, func(stat *zk.Stat, _ string) error {
			if stat == nil {
				return moved("%s is gone", id)
			}
			return nil
		})
	}
	for _, path := range r.change.missing {
		look(path, func(stat *zk.Stat, _ string) error {
			if stat != nil {
				return moved("%s is there now", path)
			}
			return nil
		})
	}
	for _, m := range r.change.creates {
		look(m.path, func(stat *zk.Stat, _ string) error {
			if stat != nil {
				return moved("%s is there now", m.path)
			}
			return nil
		})
		for dir := parent(m.path); dir != ""; dir = parent(dir) {
			look(dir, func(stat *zk.Stat, _ string) error {
				if stat == nil {
					mu.Lock()
					defer mu.Unlock()
					parents = append(parents, dir)
				}
				return nil
			})
		}
	}
	wg.Wait()
	slices.Sort(parents) // a directory is before what is below it
	return slices.Compact(parents), errors.Join(faults...)
}

// parent returns the directory of a path, or nothing.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)]
}

// ops is the transaction: first the pins and marks, then the new nodes.
func (r *repair) ops(parents []string) (ops []any) {
	for _, m := range r.change.deletes {
		if pins(m) {
			ops = append(ops, &zk.DeleteRequest{Path: r.path(m.path) + "/" + r.nonce, Version: 0})
		}
		ops = append(ops, &zk.DeleteRequest{Path: r.path(m.path), Version: m.version})
	}
	for _, dir := range parents {
		ops = append(ops, &zk.CreateRequest{Path: r.path(dir), Acl: r.client.acl})
	}
	for _, m := range r.change.creates {
		ops = append(ops, &zk.CreateRequest{Path: r.path(m.path), Data: []byte(m.data), Acl: r.client.acl})
	}
	return ops
}

// audits returns the audit lines of a transaction.
func (r *repair) audits(job string, list []*Finding, ops []any) (audits []Audit) {
	var rules []Rule
	for _, f := range list {
		rules = append(rules, f.Rule)
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	now := time.Now().UTC()
	for _, m := range r.change.deletes {
		a := Audit{Time: now, Job: job, Rules: rules, Write: "delete", Path: r.path(m.path), Value: m.value,
			Czxid: m.czxid, Version: m.version, Session: m.session}
		a.Undo = fmt.Sprintf("create %s %q", a.Path, m.value)
		if m.session != 0 {
			a.Undo = "an ephemeral node can't be put back by hand; its owner creates it again when it restarts"
		}
		audits = append(audits, a)
	}
	for _, op := range ops {
		if create, ok := op.(*zk.CreateRequest); ok {
			audits = append(audits, Audit{Time: now, Job: job, Rules: rules, Write: "create", Path: create.Path,
				Value: string(create.Data), Undo: "delete " + create.Path})
		}
	}
	return audits
}

// unpin removes the pins that a repair which came to nothing has left. What it
// can't remove the next doctor does.
func (r *repair) unpin() {
	ctx, cancel := context.WithTimeout(context.Background(), r.client.timeout)
	defer cancel()
	for _, pin := range r.pinned {
		_, _ = call(ctx, r.client, func() (struct{}, error) { return struct{}{}, r.client.conn.Delete(pin, 0) })
	}
}
