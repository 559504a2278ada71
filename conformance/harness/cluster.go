package harness

import (
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

// New waits for the turn of a case, and puts the cluster in order when it ends.
func (c *cluster) New(t testing.TB) conformance.Members {
	t.Helper()
	c.turn.Lock()
	m := &members{space: c.space(c.members), cluster: c, killed: map[int]bool{}, paused: map[int]bool{}, isolated: map[int]bool{}}
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
		m.awaitLeader(t)
	})
	m.awaitLeader(t)
	return m
}

// members is a namespace on a cluster, and what was done to it. Its methods are for the goroutine of the case.
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

func (m *members) awaitLeader(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); m.Leader() < 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("the cluster has no leader, %v after it was put in order", 30*time.Second)
			return
		}
	}
}

func (m *members) Kill(_ testing.TB, i int)   { m.servers[i].Kill(); m.killed[i] = true }
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
	before := m.Leader()
	m.transfer(t, m.servers, before)
	for end := time.Now().Add(30 * time.Second); m.Leader() < 0 || m.Leader() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("member %d still leads, or nobody, after the transfer", before)
		}
	}
}
