package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// clusters: three servers are as good as one while two of them agree.
func clusters() []testCase {
	need := []Fault{Clusters}
	return []testCase{
		{name: "CLU/LeaderKill", run: leaderKill, needs: need},
		{name: "CLU/LeaderPause", run: leaderPause, needs: need},
		{name: "CLU/LeaderTransfer", run: leaderTransfer, needs: need},
		{name: "CLU/RollingRestart", run: rollingRestart, needs: need},
		{name: "CLU/QuorumLoss", run: quorumLoss, needs: need},
		{name: "CLU/MinorityClient", run: minorityClient, needs: need},
		{name: "CLU/LoneMember", run: loneMember, needs: need},
		{name: "CLU/ReadsAreFreshOnEveryMember", run: freshOnEveryMember, needs: need},
	}
}

// onCluster waits for the cluster and puts the case on it.
func (t *test) onCluster() Members {
	m := t.harness.(Clusterer).Cluster(t.TB).New(t.TB)
	life, cancel := context.WithTimeout(context.Background(), 6*patience) // the wait for the turn does not count
	t.Cleanup(cancel)
	t.ns = m
	t.life = life
	t.elects = true
	return m
}

// calm is the TTL of a session that must outlive changes of leaders. A change
// takes one to three seconds, and more on a busy machine. These cases do not
// test how soon servers elect, and never wait for this session to end.
func (t *test) calm() time.Duration { return max(30*time.Second, t.caps.MinTTL) }

// leader waits until a member leads, and returns it.
func (t *test) leader(m Members) (leader int) {
	t.Helper()
	t.eventually(patience, "a member leads", func() bool { leader = m.Leader(); return leader >= 0 })
	return leader
}

// while commits without a pause, before, during and after f, and checks that
// the answer to each commit is true. The session and a watch must live through
// it, and the new leader must renew the session.
func (t *test) while(f func(m Members, leader int)) {
	m := t.onCluster()
	a, b := t.open(), t.open()
	ss := a.session(t.calm())
	a.do(ss, store.CreateEphemeral("e/mine", nil))
	follower := t.follow(b, "d")
	follower.reset()
	var outcomes []outcome
	commit := func() error {
		key := fmt.Sprintf("d/%04d", len(outcomes))
		_, err := a.Commit(t.within(3*time.Second), store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
		outcomes = append(outcomes, outcome{key: key, err: err})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
		}
		return err
	}
	for range 5 {
		t.eventually(patience, "a commit before anything has happened", func() bool { return commit() == nil })
	}
	over, leader := make(chan struct{}), t.leader(m)
	go func() {
		defer close(over)
		f(m, leader)
	}()
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
			commit()
		}
	}
	for end := time.Now().Add(patience); commit() != nil; {
		if ss.Err() != nil {
			t.Fatalf("the session, of a TTL of %v, was lost: %v", ss.TTL(), ss.Err())
		}
		if time.Now().After(end) {
			t.Fatalf("no commit within %v: %v", patience, outcomes[len(outcomes)-1].err)
		}
	}
	now := map[string]bool{}
	for _, e := range b.list("d") {
		now[e.Key] = true
	}
	for i, o := range outcomes {
		outcomes[i].there = now[o.key]
	}
	t.wantTrue(b, "d", outcomes)
	before := ss.Deadline()
	t.eventually(ss.TTL(), "the session is renewed after all that", func() bool { return ss.Deadline().After(before) })
	t.wantAlive("after all that", ss)
	if got := b.get("e/mine").Owner; got != ss.ID() {
		t.Fatalf("the session's key is of %q", got)
	}
	follower.untilEqual(b.list("d"))
}

func leaderKill(t *test) {
	t.while(func(m Members, leader int) {
		m.Kill(t.TB, leader)
		t.leader(m)
		m.Start(t.TB, leader)
	})
}

func leaderPause(t *test) {
	t.while(func(m Members, leader int) {
		m.Pause(t.TB, leader)
		t.leader(m)
		m.Resume(t.TB, leader)
	})
}

func leaderTransfer(t *test) { t.while(func(m Members, leader int) { m.Transfer(t.TB) }) }

func rollingRestart(t *test) {
	t.while(func(m Members, _ int) {
		for i := range 3 {
			m.Kill(t.TB, i)
			m.Start(t.TB, i)
			t.leader(m)
		}
	})
}

// Without a majority nothing is acknowledged and nothing is read, and no error
// claims more than is known. With a majority everything continues from the
// acknowledged state.
func quorumLoss(t *test) {
	m := t.onCluster()
	a, b := t.open(), t.open()
	ss := a.session(t.calm())
	a.do(ss, store.Create("d/k", []byte("before")), store.CreateEphemeral("d/eph", nil), store.Create("d/last", nil))
	f := t.follow(b, "d")
	f.untilEqual(a.list("d"))
	leader := t.leader(m)
	m.Kill(t.TB, leader)
	m.Kill(t.TB, (leader+1)%3)
	const bound = 500 * time.Millisecond
	var outcomes []outcome
	for i := range 3 {
		key := fmt.Sprintf("d/%d", i)
		_, err := b.Commit(t.within(bound), store.Txn{Do: []store.Op{store.Create(key, nil)}})
		t.want("commit without a majority", err, store.ErrUnavailable, store.ErrUnknown)
		outcomes = append(outcomes, outcome{key: key, err: err})
		_, err = b.Get(t.within(bound), "d/k")
		t.want("get without a majority", err, store.ErrUnavailable)
	}
	m.Start(t.TB, leader)
	m.Start(t.TB, (leader+1)%3)
	t.eventually(patience, "both stores can be read again", func() bool {
		_, err := a.Get(t.within(time.Second), "d/k")
		_, err2 := b.Get(t.within(time.Second), "d/k")
		return err == nil && err2 == nil
	})
	a.wantValue("d/k", "before")
	now := map[string]bool{}
	for _, e := range b.list("d") {
		now[e.Key] = true
	}
	for _, o := range outcomes {
		if errors.Is(o.err, store.ErrUnavailable) && now[o.key] {
			t.Fatalf("%s was not applied, says %v, and is there", o.key, o.err)
		}
	}
	if err := a.surely(ss, store.Set("d/k", []byte("after"))); err != nil {
		t.wantDone("a commit said that it is lost", ss, slack, store.ErrSessionLost)
	}
	t.want("commit", b.surely(nil, store.Set("d/last", []byte("last"))), nil)
	f.until("the watch to have caught up", func() bool { return string(f.state["d/last"].Value) == "last" })
	f.untilEqual(b.list("d"))
}

// surely repeats an idempotent commit until it is acknowledged, because there
// can be no leader, and a leader that goes can take an answer with it. It
// returns an error only if the session is lost.
func (c *client) surely(ss store.Session, ops ...store.Op) (err error) {
	c.t.Helper()
	c.t.eventually(patience, "a commit is acknowledged", func() bool {
		_, err = c.Commit(c.t.ctx(), store.Txn{Session: ss, Do: ops})
		c.t.want("commit", err, nil, store.ErrUnavailable, store.ErrUnknown, store.ErrSessionLost)
		return err == nil || errors.Is(err, store.ErrSessionLost)
	})
	return err
}

// A process that sees only a member which has lost sight of the others is as
// good as cut off: it reads nothing old, and its session ends before the others
// see it end.
func minorityClient(t *test) {
	m := t.onCluster()
	leader := t.leader(m)
	alone, b := t.wrap(m.OpenAt(t.TB, leader)), t.wrap(m.OpenAt(t.TB, (leader+1)%3, (leader+2)%3))
	ss := alone.session(max(t.caps.MinTTL, 2*shortTTL))
	alone.do(ss, store.CreateEphemeral("d/eph", nil), store.Create("d/k", []byte("old")))
	watch := t.follow(b, "d")
	watch.untilEqual(alone.list("d"))
	if err := m.Isolate(leader); err != nil {
		t.Skip(err)
	}
	t.leader(m)
	t.eventually(patience, "the others go on", func() bool {
		_, err := b.Commit(t.within(time.Second), store.Txn{Do: []store.Op{store.Set("d/k", []byte("new"))}})
		return err == nil
	})
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if e, err := alone.Get(t.within(200*time.Millisecond), "d/k"); err == nil && string(e.Value) != "new" {
			t.Fatalf("a member that is alone answers with %q, after the others have stored %q", e.Value, "new")
		}
	}
	t.wantDone("its only member is alone", ss, ss.TTL()+slack, store.ErrSessionLost)
	if _, err := b.Get(t.ctx(), "d/eph"); err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	watch.until("the key of the lost session to be gone", func() bool {
		_, there := watch.state["d/eph"]
		return !there
	})
	if err := m.Rejoin(leader); err != nil {
		t.Fatal(err)
	}
	t.eventually(patience, "it reads again, and the truth", func() bool {
		e, err := alone.Get(t.within(time.Second), "d/k")
		return err == nil && string(e.Value) == "new"
	})
}

// A process that reaches only one member while the others are frozen is as good
// as cut off, and its watch becomes stale.
func loneMember(t *test) {
	m := t.onCluster()
	alone, b := t.wrap(m.OpenAt(t.TB, 0)), t.wrap(m.OpenAt(t.TB, 1, 2))
	ss := alone.session(max(t.caps.MinTTL, 2*shortTTL))
	alone.do(ss, store.CreateEphemeral("d/eph", nil), store.Create("d/k", []byte("before")))
	f := t.follow(alone, "d")
	f.untilEqual(alone.list("d"))
	ended := t.timed(ss)
	m.Pause(t.TB, 1)
	m.Pause(t.TB, 2)
	f.until("the watch says that it may be behind", func() bool { return f.stale })
	_, err := alone.Get(t.within(300*time.Millisecond), "d/k")
	t.want("get from a member that is alone", err, store.ErrUnavailable)
	t.wantDone("its only member is alone", ss, ss.TTL()+slack, store.ErrSessionLost)
	t.wantInTime(<-ended)
	m.Resume(t.TB, 1)
	m.Resume(t.TB, 2)
	t.want("commit", b.surely(nil, store.Set("d/k", []byte("after"))), nil)
	f.until("the watch has caught up", func() bool { return !f.stale && string(f.state["d/k"].Value) == "after" })
	alone.wantValue("d/k", "after")
}

// A read through any member sees what another member has acknowledged.
func freshOnEveryMember(t *test) {
	m := t.onCluster()
	var at []*client
	for i := range 3 {
		at = append(at, t.wrap(m.OpenAt(t.TB, i)))
	}
	at[0].do(nil, store.Create("d/k", []byte("0")))
	for i := range 60 {
		want := fmt.Sprint(i)
		t.want("commit", at[i%3].surely(nil, store.Set("d/k", []byte(want))), nil)
		for j := range 3 {
			if got := at[j].get("d/k"); string(got.Value) != want {
				t.Fatalf("member %d answers %q after member %d has acknowledged %q", j, got.Value, i%3, want)
			}
		}
	}
}
