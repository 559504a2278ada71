// Package clustertest checks what clusters on a memory store did: every commit
// against the protocol, and the content of the store at rest.
package clustertest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Audit checks every commit of a server against the protocol, and keeps a
// history for failed tests. Its methods may be called concurrently.
type Audit struct {
	mu      sync.Mutex
	checker *checker.Audit
	history []string
	also    func(memory.Commit)
}

// Operator is the name of the client of human operators. Its commits are not
// checked.
const Operator = "admin"

// NewAudit returns an audit of all later commits of s.
func NewAudit(s *memory.Server) *Audit {
	a := &Audit{checker: checker.NewAudit(Operator)}
	s.OnCommit(a.commit)
	return a
}

func (a *Audit) commit(c memory.Commit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.also != nil {
		a.also(c)
	}
	before := len(a.checker.Found)
	a.checker.Commit(c)
	if c.Client == Operator {
		a.checker.Found = a.checker.Found[:before]
	}
	for _, op := range c.Do {
		if prefix, _, _ := strings.Cut(op.Key, "/"); prefix == layout.Instances || prefix == layout.Signals {
			continue
		}
		a.history = append(a.history, fmt.Sprintf("  %s %-8s %s = %s\n", Stamp(c.Time), c.Client, op.Key, written(op)))
	}
}

func written(op store.Op) string {
	if op.Kind == store.OpDelete {
		return "deleted"
	}
	if r, err := failover.Decode(op.Value); err == nil {
		return r.String()
	}
	return string(op.Value)
}

// Also calls f with each later commit. f must not call methods of the audit.
func (a *Audit) Also(f func(memory.Commit)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.also = f
}

// SetSkew sets the largest difference between clocks.
func (a *Audit) SetSkew(skew time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checker.Skew = skew
}

// AllowWrongClocks notes that clocks differ by more than allowed, so that fires
// can begin twice.
func (a *Audit) AllowWrongClocks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checker.Wrong = true
}

// WrongClocks reports whether AllowWrongClocks was called.
func (a *Audit) WrongClocks() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.checker.Wrong
}

// Faults returns the violations of the protocol until now.
func (a *Audit) Faults() (texts []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.checker.Found {
		texts = append(texts, v.String())
	}
	return texts
}

// Abandoned reports whether a run of a fire was abandoned.
func (a *Audit) Abandoned(job string, shard int, fire time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.checker.Shard(job, shard).Fires[fire.Unix()]
	return f != nil && f.Result == failover.ResultLost
}

// String returns the commits until now, other than those of instances and
// triggers, one a line.
func (a *Audit) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.history, "")
}

// Stamp returns minutes, seconds and milliseconds of a time.
func Stamp(t time.Time) string { return t.UTC().Format("04:05.000") }
