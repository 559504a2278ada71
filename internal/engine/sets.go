package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Instances name their jobs by the hashes of sets, which are written once and
// shared. No instance watches sets: one that an instance names was complete
// before that, so it is read once.

// setState is how far the reading of a set has come.
type setState uint8

const (
	setReading setState = iota
	setRead
	setBroken // it is missing, half written or of another version
)

// jobSet is a set of jobs that a live instance names.
type jobSet struct {
	hash  string
	state setState
	set   layout.JobSet
}

// sets are the sets that live instances name. All of it belongs to the loop.
type sets struct {
	known   map[string]*jobSet // by hash
	reading int                // of them
}

// namedBy returns the sets that an instance names, and starts to read those that
// are new.
func (e *Engine) namedBy(hashes []string) []*jobSet {
	all := make([]*jobSet, len(hashes))
	for i, hash := range hashes {
		s := e.sets.known[hash]
		if s == nil {
			s = &jobSet{hash: hash}
			e.sets.known[hash] = s
			e.readSet(s)
		}
		all[i] = s
	}
	return all
}

// readSet reads a set until there is an answer.
func (e *Engine) readSet(s *jobSet) {
	s.state = setReading
	e.sets.reading++
	prefix := layout.SetsOf(s.hash)
	var try func()
	try = func() {
		e.background(func(ctx context.Context) {
			entries, err := e.cfg.Store.List(ctx, prefix)
			e.post(func() {
				switch {
				case err == nil:
					e.worked(&e.reading, prefix)
					e.setAnswered(s, entries)
				case ended(err):
					e.end(err)
				case !e.isNamed(s):
					e.dropSet(s)
				default:
					ev := observe.Event{
						Subject: prefix,
						Args:    map[string]string{"operation": "read"},
						Detail:  "read a set of jobs",
						Err:     err,
					}
					e.after(e.troubled(&e.reading, []string{prefix}, ev), try)
				}
			})
		})
	}
	try()
}

// setAnswered takes what the store has of a set.
func (e *Engine) setAnswered(s *jobSet, entries []store.Entry) {
	docs := map[int][]byte{}
	for _, entry := range entries {
		if _, part, ok := layout.SetOf(entry.Key); ok {
			docs[part] = entry.Value
		}
	}
	set, err := layout.DecodeJobSet(s.hash, docs)
	e.sets.reading--
	if err != nil {
		s.state = setBroken
		e.tellBroken(s, err)
	} else {
		s.state, s.set = setRead, set
	}
	var moved []movement
	for _, p := range e.replica.peers {
		before := *p
		switch {
		case slices.Contains(p.coming, s) && answeredAll(p.coming):
			p.sets, p.coming = p.coming, nil
		case slices.Contains(p.sets, s):
			before.sets = []*jobSet{{}} // its jobs were not known: it had none
		default:
			continue
		}
		moved = append(moved, movement{&before, p})
	}
	e.membershipChanged(moved)
}

// tellBroken reports a set that can't be read, and who names it.
func (e *Engine) tellBroken(s *jobSet, err error) {
	key := layout.SetsOf(s.hash)
	detail := "instances that name it get no shards until one of them has written it again"
	if errors.Is(err, layout.ErrSetIncomplete) {
		detail = "a key of it was deleted; " + detail
	}
	e.emit(observe.Event{
		Kind:    observe.Unreadable,
		Shard:   -1,
		Subject: key,
		Code:    unreadableCode(key),
		Args:    map[string]string{"key": key},
		Detail:  detail,
		Err:     err,
	})
}

// answeredAll reports whether the store has answered about all of some sets.
func answeredAll(all []*jobSet) bool {
	return !slices.ContainsFunc(all, func(s *jobSet) bool { return s.state == setReading })
}

// isNamed reports whether a live instance names a set.
func (e *Engine) isNamed(s *jobSet) bool {
	return slices.ContainsFunc(e.replica.peers, func(p *peer) bool {
		return slices.Contains(p.sets, s) || slices.Contains(p.coming, s)
	})
}

// dropSet forgets a set that no instance names.
func (e *Engine) dropSet(s *jobSet) {
	if s.state == setReading {
		e.sets.reading--
	}
	delete(e.sets.known, s.hash)
}

// reviewSets forgets sets that no instance names, and reads again those that
// could not be read.
func (e *Engine) reviewSets() {
	named := map[*jobSet]bool{}
	for _, p := range e.replica.peers {
		for _, s := range slices.Concat(p.sets, p.coming) {
			named[s] = true
		}
	}
	for _, s := range e.sets.known {
		switch {
		case s.state == setReading: // its answer is under way
		case !named[s]:
			e.dropSet(s)
		case s.state == setBroken:
			e.readSet(s)
		}
	}
}

// Has reports whether an instance has a handler for a job. An instance of which
// a set could not be read has none.
func (p *peer) Has(job string) bool {
	if !p.whole() {
		return false
	}
	for _, s := range slices.Backward(p.sets) {
		if _, there := slices.BinarySearch(s.set.Names, job); there {
			return !s.set.Minus
		}
	}
	return false
}

// whole reports whether all sets of an instance have been read.
func (p *peer) whole() bool {
	return !slices.ContainsFunc(p.sets, func(s *jobSet) bool { return s.state != setRead })
}
