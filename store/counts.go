package store

import (
	"sync/atomic"
	"time"
)

// Counts is how often a Portable store was asked since it was opened. Calls
// that were refused before anything was sent don't count. Renewals of sessions,
// and the messages of watches, are the driver's and don't count either.
type Counts struct {
	Gets, Lists, Commits, Sessions, Watches int64
	Digests                                 int64
	Failures                                int64 // calls that returned an error, conflicts included
	InFlight                                int64 // calls that have not returned yet
	BytesRead, BytesWritten                 int64
	Busy                                    time.Duration // the durations of all calls that have returned, added up
}

// Reads is the number of calls that read.
func (c Counts) Reads() int64 { return c.Gets + c.Lists + c.Digests }

// Sub returns what was counted since before.
func (c Counts) Sub(before Counts) Counts {
	return Counts{
		Gets: c.Gets - before.Gets, Lists: c.Lists - before.Lists, Commits: c.Commits - before.Commits, Digests: c.Digests - before.Digests,
		Sessions: c.Sessions - before.Sessions, Watches: c.Watches - before.Watches, Failures: c.Failures - before.Failures,
		InFlight:  c.InFlight,
		BytesRead: c.BytesRead - before.BytesRead, BytesWritten: c.BytesWritten - before.BytesWritten, Busy: c.Busy - before.Busy,
	}
}

type counters struct {
	gets, lists, digests, commits, sessions, watches, failures, inFlight, read, written, busy atomic.Int64
}

// Counts returns the counts so far.
func (p *Portable) Counts() Counts {
	c := &p.counts
	return Counts{
		Gets: c.gets.Load(), Lists: c.lists.Load(), Digests: c.digests.Load(), Commits: c.commits.Load(), Sessions: c.sessions.Load(), Watches: c.watches.Load(),
		Failures: c.failures.Load(), InFlight: c.inFlight.Load(),
		BytesRead: c.read.Load(), BytesWritten: c.written.Load(), Busy: time.Duration(c.busy.Load()),
	}
}
