package elasticjob

import "time"

// Seen holds the observations of one job over time. Absences and findings
// count from when they began without a break: one look proves nothing, as Java
// deletes and creates its own node again when it reconnects. It is not safe for
// concurrent use.
type Seen struct {
	absent map[string]time.Time // by ID
	found  map[string]time.Time // by key of a finding
	runs   map[string]*observedRun
	ended  map[string]endedRun // by path of a running mark
}

// endedRun is a running mark whose run has ended, as the tracing tables say.
type endedRun struct {
	czxid int64
	at    time.Time
}

// observedRun is a running mark, and the marks of the same owner that were seen
// beside it.
type observedRun struct {
	czxid    int64
	beside   map[string]int64 // by path: the mark that is there now
	renewals map[string]int   // by path: how often it has been replaced
}

// NewSeen returns what has been seen of a job that was not looked at.
func NewSeen() *Seen {
	s := &Seen{}
	s.Reset()
	return s
}

// Reset forgets everything, as must be done when contact with the store was
// lost: an instance may have come and gone meanwhile.
func (s *Seen) Reset() {
	s.absent = map[string]time.Time{}
	s.found = map[string]time.Time{}
	s.runs = map[string]*observedRun{}
	s.ended = map[string]endedRun{}
}

// endOf returns when the run of a mark has ended; zero if that is not known.
func (s *Seen) endOf(path string, czxid int64) time.Time {
	if run := s.ended[path]; run.czxid == czxid {
		return run.at
	}
	return time.Time{}
}

// Came ends the absence of an instance whose node a watch has seen.
func (s *Seen) Came(id string) { delete(s.absent, id) }

// Absent returns the IDs whose absence is being observed.
func (s *Seen) Absent() (ids []string) {
	for id := range s.absent {
		ids = append(ids, id)
	}
	return ids
}

// Observe takes what two collects have shown. An instance is absent if both
// lack it. Marks are compared only if the two agree, as [Client.Settled] says.
func (s *Seen) Observe(first, t *Snapshot, agreed bool) {
	f := factsOf(t)
	for _, id := range first.below("instances") {
		s.Came(id)
	}
	mentioned := map[string]bool{}
	for _, id := range f.mentioned() {
		mentioned[id] = true
		if f.alive(id) || first.at("instances/"+id) != nil {
			delete(s.absent, id)
		} else if _, known := s.absent[id]; !known {
			s.absent[id] = t.At
		}
	}
	for id := range s.absent {
		if !mentioned[id] {
			delete(s.absent, id)
		}
	}
	if agreed {
		s.observeRuns(t, f)
	}
}

func (s *Seen) observeRuns(t *Snapshot, f *facts) {
	owners := map[string]string{} // of running marks, by path
	for _, item := range f.items {
		path := shardPath(item, "running")
		if n := t.at(path); n != nil && n.Data != "" {
			owners[path] = n.Data
		}
	}
	for path := range s.runs {
		if owners[path] == "" {
			delete(s.runs, path)
		}
	}
	for path, owner := range owners {
		czxid := t.at(path).Stat.Czxid
		run := s.runs[path]
		if run == nil || run.czxid != czxid {
			run = &observedRun{czxid: czxid, beside: map[string]int64{}, renewals: map[string]int{}}
			s.runs[path] = run
		}
		for other, owner2 := range owners {
			if other == path || owner2 != owner {
				continue
			}
			now := t.at(other).Stat.Czxid
			if before, known := run.beside[other]; known && before != now {
				run.renewals[other]++
			}
			run.beside[other] = now
		}
	}
}

// absence returns for how long an instance has been absent.
func (s *Seen) absence(id string, now time.Time) time.Duration {
	since, known := s.absent[id]
	if !known {
		return 0
	}
	return now.Sub(since)
}

// outlived returns the path of a mark of the same owner that was made again
// twice while the mark at path stayed, or nothing.
func (s *Seen) outlived(path string, czxid int64) string {
	run := s.runs[path]
	if run == nil || run.czxid != czxid {
		return ""
	}
	for other, n := range run.renewals {
		const twoPeriods = 2
		if n >= twoPeriods {
			return other
		}
	}
	return ""
}

// note keeps since when each finding has been there, and forgets the others.
func (s *Seen) note(findings []*Finding, now time.Time) {
	found := map[string]time.Time{}
	for _, f := range findings {
		since, known := s.found[f.key()]
		if !known {
			since = now
		}
		found[f.key()] = since
	}
	s.found = found
}
