package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// maxSaved is how many bytes of a value an entry of the audit can save.
const maxSaved = 8 << 10

// Repair replaces a value that can't be read: that of a job by a tombstone,
// over which the job can be applied again; other keys are deleted. The value is
// saved in the entry of the audit. One that is larger than 8 KiB is refused
// with store.ErrTooLarge.
//
// A value that reads well is refused with [ErrRefused]. So is one of a newer
// version, which is not damaged, and the record of a shard while its job is
// enabled, or while the value names a live instance. Repair sends a list, two
// gets and a commit.
func (c *Client) Repair(ctx context.Context, key string, opts ...ActOption) (Receipt, error) {
	plan := func(ctx context.Context, _ options, at moment) (plan, error) { return c.planRepair(ctx, key, at) }
	return c.do(ctx, act{name: "repair", plan: plan}, key, opts)
}

func (c *Client) planRepair(ctx context.Context, key string, at moment) (plan, error) {
	kind := layout.KindOf(key)
	if kind == nil {
		return plan{}, invalid("the key is none that a namespace holds; delete it with the store's own client")
	}
	if kind.Ephemeral {
		return plan{}, fmt.Errorf("%w: the key goes with its instance; evict that", ErrRefused)
	}
	e, err := c.get(ctx, key)
	switch {
	case err != nil:
		return plan{}, err
	case e.Version == 0:
		return plan{}, fmt.Errorf("there is no such key: %w", ErrNotFound)
	}
	what := readable(key, e.Value)
	if what == nil {
		return plan{}, fmt.Errorf("%w: its value can be read", ErrRefused)
	}
	if v := versionOf(e.Value); v > newest(kind.Prefix) {
		return plan{}, fmt.Errorf(
			"%w: its value has version %d, of a newer program; use one of that version",
			ErrRefused,
			v,
		)
	}
	saved := string(e.Value)
	if len(saved) > maxSaved {
		return plan{}, fmt.Errorf(
			"%w: its value has %d bytes, and %d can be saved; keep it in a file, and delete the key",
			store.ErrTooLarge,
			len(saved),
			maxSaved,
		)
	}
	if !utf8.ValidString(saved) {
		saved = strings.ToValidUTF8(saved, "\uFFFD")
	}
	p := plan{
		target:     clip(key),
		saved:      saved,
		conditions: []store.Cond{store.At(key, e.Version)},
		changes:    []layout.Change{{Field: "value", Old: what.Error(), New: "repaired"}},
	}
	if kind.Prefix == layout.Jobs {
		p.consequences = []string{"the job counts as removed; apply it again"}
		p.ops = func(by layout.Changed) []store.Op {
			tombstone := layout.Job{Rev: 1}.Removed(nil, by)
			tombstone.Spec = nil
			return []store.Op{store.Set(key, tombstone.Encode())}
		}
		return p, nil
	}
	if job, ok := layout.JobOf(key); ok {
		guard, err := c.mayRepair(ctx, kind, job, e, at)
		if err != nil {
			return plan{}, err
		}
		p.conditions = append(p.conditions, guard...)
	}
	p.ops = func(layout.Changed) []store.Op { return []store.Op{store.Delete(key)} }
	return p, nil
}

// mayRepair returns what the repair of a key below a job must compare.
func (c *Client) mayRepair(
	ctx context.Context,
	kind *layout.Kind,
	job string,
	e store.Entry,
	at moment,
) ([]store.Cond, error) {
	s, err := c.readJob(ctx, job)
	if err != nil || s.version == 0 {
		return nil, err
	}
	if kind.Prefix == layout.Runs {
		if spec, err := s.present(); err == nil && !spec.Disabled {
			return nil, fmt.Errorf(
				"%w: its job is enabled; disable it first, so that nothing begins meanwhile",
				ErrRefused,
			)
		}
		for _, i := range at.fleet.Instances {
			if strings.Contains(string(e.Value), i.ID) {
				return nil, fmt.Errorf("%w: its value names %s, which lives and may run it", ErrRefused, i.ID)
			}
		}
	}
	return []store.Cond{store.At(layout.JobKey(job), s.version)}, nil
}

// readable returns why the value of a key can't be read; nil if it can.
func readable(key string, value []byte) error {
	var err error
	name, _ := layout.NameOf(layout.Prefix(key), key)
	switch layout.Prefix(key) {
	case layout.Jobs, layout.Revisions:
		_, err = layout.DecodeJob(value)
	case layout.Assignments:
		_, err = layout.DecodeAssignment(value)
	case layout.Signals:
		_, err = layout.DecodeSignal(value)
	case layout.Cordons:
		_, err = layout.DecodeCordon(name, value)
	case layout.Audits:
		_, err = layout.DecodeAudit(value)
	case layout.Runs:
		_, err = failover.Decode(value)
	case layout.Instances:
		_, err = layout.DecodeInstance(value)
	}
	return err
}

// versionOf returns the version of a document; zero if it has none.
func versionOf(value []byte) int {
	var head struct {
		V int `json:"v"`
	}
	if json.Unmarshal(value, &head) != nil {
		return 0
	}
	return head.V
}

// newest returns the newest version of documents that this program writes.
func newest(prefix string) int {
	switch prefix {
	case layout.Jobs, layout.Revisions, layout.Instances:
		return 2
	}
	return 1
}
