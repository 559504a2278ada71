package engine

import (
	"context"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// follower is a watch on a job's records, for as long as shards of this instance wait for runs of another. That is rare: a
// shard was moved while it ran, and it has failover, or its next fire has come.
type follower struct{ end context.CancelFunc }

// block notes that a shard waits for another instance's run.
func (e *Engine) block(s *shard) {
	if s.blocked {
		return
	}
	s.blocked = true
	s.job.blocked++
	e.blocked = append(e.blocked, s.job)
}

// unblock notes that it no longer does.
func (e *Engine) unblock(s *shard) {
	if !s.blocked {
		return
	}
	s.blocked = false
	s.job.blocked--
	e.blocked = append(e.blocked, s.job)
}

// followBlocked starts and ends watches as shards wait, or no longer wait.
func (e *Engine) followBlocked() {
	for _, j := range e.blocked {
		switch {
		case j.blocked > 0 && j.follower == nil:
			ctx, end := context.WithCancel(e.life)
			f := &follower{end}
			j.follower = f
			e.wg.Go(func() {
				e.watchRuns(ctx, j.name, func(u store.Update) {
					if j.follower == f {
						e.runsChanged(j, u)
					}
				})
			})
		case j.blocked == 0 && j.follower != nil:
			j.follower.end()
			j.follower = nil
		}
	}
	e.blocked = e.blocked[:0]
}

// watchRuns has the loop call f for each update of a job's records until ctx ends.
func (e *Engine) watchRuns(ctx context.Context, job string, f func(store.Update)) {
	prefix := layout.RunsOf(job)
	for tries := 0; ctx.Err() == nil; tries++ {
		attempt, end := context.WithCancel(ctx)
		err := e.watch(attempt, prefix, &tries, f)
		end()
		if ctx.Err() != nil {
			return
		}
		e.post(func() { e.watchFailed(prefix, err) })
		sleep(ctx, e.backoff(tries))
	}
}

// runsChanged shows shards their records: all that this instance owns and does not run, because one that is not blocked yet may be
// in a moment. An update can be older than what the engine knows; then the next write finds the version changed, and the
// record is read. While an answer is on its way it is not known which of the two is older, so the record is read again.
func (e *Engine) runsChanged(j *job, u store.Update) {
	show := func(key string, entry store.Entry, there bool) {
		item, err := layout.ShardOf(key)
		if err != nil {
			e.reportStray(key)
			return
		}
		s := j.shards[item]
		switch {
		case s == nil || s.run != nil:
		case s.busy:
			s.outdated = true
		default:
			e.learn(s, entry, there)
		}
	}
	there := make(map[string]bool, len(u.Entries))
	for _, entry := range u.Entries {
		there[entry.Key] = true
		show(entry.Key, entry, true)
	}
	for _, key := range u.Deleted {
		show(key, store.Entry{}, false)
	}
	if u.Reset {
		for _, s := range j.shards {
			if key := layout.RunKey(j.name, s.item); !there[key] {
				show(key, store.Entry{}, false)
			}
		}
	}
}
