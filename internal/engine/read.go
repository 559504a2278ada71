package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// wantRecord has a shard's record read when the loop settles.
func (e *Engine) wantRecord(s *shard) {
	j := s.job
	s.busy, s.asOf = true, j.assignedVersion
	if len(j.unread) == 0 {
		e.unread = append(e.unread, j)
	}
	j.unread = append(j.unread, s)
}

// readRecords reads what is wanted: one list a job, or one get where it is one
// shard; or one list of all records, which the driver reads in pages.
func (e *Engine) readRecords() {
	jobs := e.unread
	e.unread = nil
	if e.wantsAll(len(jobs)) {
		e.readAll(jobs)
		return
	}
	for _, j := range jobs {
		shards := j.unread
		j.unread = nil
		e.background(func(ctx context.Context) {
			e.reads <- struct{}{}
			entries, err := e.read(ctx, j.name, shards)
			<-e.reads
			e.post(func() { e.haveRead(shards, entries, err) })
		})
	}
}

// wantsAll reports whether all records of the namespace are listed rather than
// those of some jobs. It must be worth while: the records of other instances'
// jobs are read as well. A store whose lists are many requests gains nothing.
func (e *Engine) wantsAll(jobs int) bool {
	const (
		least = 64 // jobs
		share = 8  // one in so many
	)
	return jobs > least && jobs*share >= len(e.replica.entries[layout.Jobs]) && e.cfg.Store.Caps().AtomicList
}

// readAll reads the records of jobs by one list.
func (e *Engine) readAll(jobs []*job) {
	wanted := make(map[string][]*shard, len(jobs))
	names := make([]string, len(jobs))
	for i, j := range jobs {
		names[i], wanted[j.name] = j.name, j.unread
		j.unread = nil
	}
	e.background(func(ctx context.Context) {
		e.reads <- struct{}{}
		entries, err := e.cfg.Store.List(ctx, layout.Runs)
		<-e.reads
		found := map[string][]store.Entry{}
		for _, entry := range entries {
			// The job of a key that is none of this program's as well: it is reported.
			rest := strings.TrimPrefix(entry.Key, layout.Runs+"/")
			job, _, _ := strings.Cut(rest, "/")
			if wanted[job] != nil {
				found[job] = append(found[job], entry)
			}
		}
		e.post(func() {
			for _, name := range names {
				e.haveRead(wanted[name], found[name], err)
			}
		})
	})
}

// parallelReads bounds how many reads of records are under way, so that an instance with thousands of jobs does not flood
// the store when it starts.
const parallelReads = 16

func (e *Engine) read(ctx context.Context, job string, shards []*shard) ([]store.Entry, error) {
	if len(shards) > 1 {
		return e.cfg.Store.List(ctx, layout.RunsOf(job))
	}
	entry, err := e.cfg.Store.Get(ctx, layout.RunKey(job, shards[0].item))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return []store.Entry{entry}, err
}

func (e *Engine) haveRead(shards []*shard, entries []store.Entry, err error) {
	job := shards[0].job.name
	if ended(err) {
		e.end(err)
		return
	}
	if err != nil {
		ev := observe.Event{
			Job:     job,
			Subject: layout.RunsOf(job),
			Args:    map[string]string{"operation": "read"},
			Detail:  "read the records of the job",
			Err:     err,
		}
		e.after(e.troubled(&e.reading, []string{ev.Subject}, ev), func() {
			for _, s := range shards {
				s.busy = false
				e.mark(s)
			}
		})
		return
	}
	for _, s := range shards {
		s.busy = false
	}
	e.worked(&e.reading, layout.RunsOf(job))
	found := make(map[string]store.Entry, len(entries))
	for _, entry := range entries {
		if _, _, ok := layout.RunOf(entry.Key); !ok {
			e.reportStray(entry.Key)
			continue
		}
		found[entry.Key] = entry
	}
	for _, s := range shards {
		if s.outdated {
			s.outdated = false
			e.mark(s) // to be read again
			continue
		}
		entry, there := found[layout.RunKey(s.job.name, s.item)]
		e.learn(s, entry, there)
	}
}

// learn takes a shard's record from the store.
func (e *Engine) learn(s *shard, entry store.Entry, there bool) {
	s.known, s.broken = true, false
	var r failover.Record
	var version store.Version
	if there {
		var err error
		if r, err = failover.Decode(entry.Value); err != nil {
			s.broken = true
			e.unreadable(s.job, s.item, unreadableCode(entry.Key), entry.Key, err)
		} else if r.Fence >= failover.MaxFence { // it is claimed no more
			e.unreadable(s.job, s.item, string(failover.CodeFenceAtEnd), entry.Key, fmt.Errorf("the fence %d can't grow", r.Fence))
		}
		version = entry.Version
	}
	s.setRecord(r, version)
	if !s.broken {
		e.settleEnding(s)
	}
	e.mark(s)
}
