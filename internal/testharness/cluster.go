package testharness

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/store"
)

// cluster is three servers that cases take turns on.
type cluster struct {
	*remote
	members []server
	turn    sync.Mutex
}

// patience bounds the waits for a healthy cluster, also on a busy machine.
const patience = time.Minute

// New waits for the turn of a case, and repairs the cluster when the case ends.
func (c *cluster) New(t testing.TB) conformance.Members {
	t.Helper()
	c.turn.Lock()
	m := &members{
		space:    c.space(c.members),
		cluster:  c,
		killed:   map[int]bool{},
		paused:   map[int]bool{},
		isolated: map[int]bool{},
	}
	t.Cleanup(func() {
		defer c.turn.Unlock()
		for i := range c.members {
			if m.paused[i] {
				m.Resume(t, i)
			}
			if m.isolated[i] {
				m.Rejoin(i)
			}
			if m.killed[i] {
				m.Start(t, i)
			}
		}
		m.awaitOrder(t)
	})
	m.awaitOrder(t)
	return m
}

// members is a namespace on a cluster, and what was done to it. Its methods are
// for the goroutine of the case.
type members struct {
	*space
	cluster                  *cluster
	killed, paused, isolated map[int]bool
}

func (m *members) OpenAt(t testing.TB, at ...int) store.Store {
	t.Helper()
	var on []server
	for _, i := range at {
		on = append(on, m.servers[i])
	}
	return m.open(t, on)
}

func (m *members) Leader() int {
	for i, s := range m.servers {
		if !m.killed[i] && !m.paused[i] && !m.isolated[i] && s.IsLeader() {
			return i
		}
	}
	return -1
}

// await waits until a condition holds, and fails the test if it does not.
func (m *members) await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a cluster of %s: not within %v: %s", m.scheme, patience, what)
		}
	}
}

// awaitLeader waits for a leader and returns it.
func (m *members) awaitLeader(t testing.TB) (leader int) {
	t.Helper()
	m.await(t, "a member leads", func() bool { leader = m.Leader(); return leader >= 0 })
	return leader
}

// awaitOrder waits until every member serves and they agree on the leader. A
// member that was frozen believes a moment longer that it leads, and one that
// has come back lags.
func (m *members) awaitOrder(t testing.TB) {
	t.Helper()
	m.await(t, "every member serves, and one leads", func() bool {
		leaders := 0
		for _, s := range m.servers {
			if s.Ready() != nil {
				return false
			}
			if s.IsLeader() {
				leaders++
			}
		}
		return leaders == 1
	})
}

func (m *members) Kill(_ testing.TB, i int)   { m.servers[i].Kill(); m.killed[i] = true }
func (m *members) Stop(_ testing.TB, i int)   { m.servers[i].Stop(); m.killed[i] = true }
func (m *members) Start(_ testing.TB, i int)  { m.servers[i].Restart(); m.killed[i] = false }
func (m *members) Pause(_ testing.TB, i int)  { m.servers[i].Pause(); m.paused[i] = true }
func (m *members) Resume(_ testing.TB, i int) { m.servers[i].Resume(); m.paused[i] = false }

func (m *members) Isolate(i int) error {
	err := m.servers[i].Isolate()
	m.isolated[i] = err == nil
	return err
}

func (m *members) Rejoin(i int) error { m.isolated[i] = false; return m.servers[i].Rejoin() }

func (m *members) Transfer(t testing.TB) {
	t.Helper()
	before := m.awaitLeader(t)
	m.transfer(t, m, before)
	m.await(t, fmt.Sprintf("another member leads than member %d, which has handed over", before), func() bool {
		now := m.Leader()
		return now >= 0 && now != before
	})
}
