package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Cordon gives the instances of a name no shards until Uncordon. What they run
// goes on, and their shards move to other instances. The target is the name of
// instances, the ID of one, or "host:" and the name of a host.
//
// It places work and does not stop it: the exact stop of a job is Disable.
// Cordon sends two lists, a get and a commit.
func (c *Client) Cordon(ctx context.Context, target string, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "cordon", target, layout.ActionCordon, opts)
}

// Drain is Cordon, and tells running handlers that their shards move; see
// elastic.Run.Moving.
func (c *Client) Drain(ctx context.Context, target string, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "drain", target, layout.ActionDrain, opts)
}

// Uncordon ends Cordon and Drain. It costs as much.
func (c *Client) Uncordon(ctx context.Context, target string, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "uncordon", target, layout.ActionNone, opts)
}

// Pause stops all new work of the namespace until Resume: nothing begins, is
// taken over or is abandoned. What runs goes on. Each instance pauses as soon
// as it sees it, so a run can begin a moment after Pause has returned. Pause
// sends two lists, a get and a commit.
func (c *Client) Pause(ctx context.Context, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "pause", layout.Namespace, layout.ActionPause, opts)
}

// Resume ends Pause. The misfire policies of the jobs decide about the fires in
// between.
func (c *Client) Resume(ctx context.Context, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "resume", layout.Namespace, layout.ActionNone, opts)
}

// Leave makes one instance end as on SIGTERM: it drains, and its Run returns.
// The target is its ID. Leave sends two lists, a get and a commit.
func (c *Client) Leave(ctx context.Context, id string, opts ...ActOption) (Receipt, error) {
	return c.cordon(ctx, "leave", id, layout.ActionLeave, opts)
}

// hostPrefix marks a target that is a host.
const hostPrefix = "host:"

// cordonOf returns the match and the name of a target.
func cordonOf(target string) (layout.Match, string) {
	host, isHost := strings.CutPrefix(target, hostPrefix)
	switch {
	case target == layout.Namespace:
		return layout.MatchAll, target
	case isHost:
		return layout.MatchHost, host
	case strings.Contains(target, "@"):
		return layout.MatchID, target
	}
	return layout.MatchName, target
}

func (c *Client) cordon(
	ctx context.Context,
	name, target string,
	action layout.Action,
	opts []ActOption,
) (Receipt, error) {
	plan := func(ctx context.Context, _ options, at moment) (plan, error) {
		return c.planCordon(ctx, target, action, at)
	}
	shown := target
	if target == layout.Namespace {
		shown = ""
	}
	return c.do(ctx, act{name: name, repeats: true, plan: plan}, shown, opts)
}

func (c *Client) planCordon(ctx context.Context, target string, action layout.Action, at moment) (plan, error) {
	match, name := cordonOf(target)
	if action == layout.ActionLeave && match != layout.MatchID {
		return plan{}, invalid("want the ID of one instance, NAME@INCARNATION, got %.100q", target)
	}
	next := layout.Cordon{Match: match, Action: action, Changed: layout.Changed{By: c.by, At: at.Time, Via: c.via}}
	if err := next.Check(name); err != nil {
		return plan{}, invalid("%w", err)
	}
	met := 0
	for _, i := range at.fleet.Instances {
		if match != layout.MatchAll && next.Meets(name, i.ID, i.Instance) || match == layout.MatchID && i.ID == name {
			met++
		}
	}
	if met == 0 && action == layout.ActionLeave {
		return plan{}, fmt.Errorf("there is no such instance: %w", ErrNotFound)
	}
	key := layout.CordonKey(name)
	e, err := c.get(ctx, key)
	if err != nil {
		return plan{}, err
	}
	old := layout.Cordon{Match: match, Action: layout.ActionNone}
	if e.Version != 0 {
		if old, err = layout.DecodeCordon(name, e.Value); err != nil {
			return plan{}, &UnreadableError{key, err}
		}
		if old.Match != match && old.Action != layout.ActionNone {
			return plan{}, fmt.Errorf(
				"%w: there is a cordon of the %s %q; lift it first",
				ErrRefused,
				old.Match,
				name,
			)
		}
	}
	p := plan{target: target}
	if old.Action == action {
		return p, nil
	}
	p.changes = []layout.Change{{Field: "action", Old: string(old.Action), New: string(action)}}
	if match != layout.MatchAll {
		p.consequences = []string{fmt.Sprintf("live instances that it is for: %d", met)}
		if met == 0 && action != layout.ActionNone {
			p.warnings = []string{"no live instance is meant; the cordon waits for one"}
		}
	}
	if e.Version != 0 {
		p.conditions = []store.Cond{store.At(key, e.Version)}
	}
	p.ops = func(by layout.Changed) []store.Op {
		next.Changed = by
		if e.Version == 0 {
			return []store.Op{store.Create(key, next.Encode())}
		}
		return []store.Op{store.Set(key, next.Encode())}
	}
	return p, nil
}
