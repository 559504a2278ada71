package integration

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

// audit checks every commit of a server against the protocol, and keeps a
// history for failed tests.
type audit struct {
	mu      sync.Mutex
	checker *checker.Audit
	history []string
}

// operator is the client of human operators in these tests. Its commits are not
// checked.
const operator = "admin"

func newAudit(s *memory.Server) *audit {
	a := &audit{checker: checker.NewAudit(operator)}
	s.OnCommit(a.commit)
	return a
}

func (a *audit) commit(c memory.Commit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.checker.Found)
	a.checker.Commit(c)
	if c.Client == operator {
		a.checker.Found = a.checker.Found[:before]
	}
	for _, op := range c.Do {
		if prefix, _, _ := strings.Cut(op.Key, "/"); prefix == layout.Instances || prefix == layout.Signals {
			continue
		}
		a.history = append(a.history, fmt.Sprintf("  %s %-8s %s = %s\n", stamp(c.Time), c.Client, op.Key, written(op)))
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

// differ sets the largest difference between clocks.
func (a *audit) differ(skew time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checker.Skew = skew
}

// wrong notes that clocks differ by more than allowed, so that fires can begin
// twice.
func (a *audit) wrong() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checker.Wrong = true
}

func (a *audit) areWrong() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.checker.Wrong
}

func (a *audit) faults() (texts []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.checker.Found {
		texts = append(texts, v.String())
	}
	return texts
}

// gaveUp reports whether a run of a fire was abandoned.
func (a *audit) gaveUp(job string, shard int, fire time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.checker.Shard(job, shard).Fires[fire.Unix()]
	return f != nil && f.Result == failover.ResultLost
}

func (a *audit) story() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.history, "")
}
