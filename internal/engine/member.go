package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// member is this process as one instance: one session, one ephemeral key, one ID. When the session is over the process joins
// again, as another instance.
type member struct {
	id      string
	session store.Session
	ctx     context.Context // of the handlers; ends with ErrSessionLost when the session does
	lose    context.CancelCauseFunc

	ended    atomic.Pointer[time.Time] // when this process gave the session up
	handlers tally                     // that end with the session, and have not returned

	// These belong to the loop.
	doc     layout.Instance // as it was written last
	version store.Version
	clock   bool // it had a clock when it joined
	writing bool // its key is being written
	looking bool // a watch says that its key is gone, and the store is asked
}

// keepMembership joins, and joins again whenever the session is lost, until ctx ends; then it leaves.
func (e *Engine) keepMembership(ctx context.Context) {
	var own ownIDs
	for tries := 0; ctx.Err() == nil; tries++ {
		m, err := e.join(ctx, &own)
		if errors.Is(err, ErrNameTaken) {
			e.post(func() { e.fail(err) })
			return
		}
		if errors.Is(err, store.ErrPermission) && !own.joined {
			// A process that has never joined has the wrong user, or one without
			// rights, and waits in vain. Rights that are taken away from one that
			// runs may come back.
			e.post(func() { e.fail(fmt.Errorf("join: %w; the store's user needs to read and write the namespace", err)) })
			return
		}
		if err != nil {
			if ctx.Err() == nil {
				e.post(func() { e.joinFailed(err) })
				sleep(ctx, e.backoff(tries))
			}
			continue
		}
		tries, own.joined = 0, true
		e.post(func() { e.joined(m) })
		select {
		case <-ctx.Done():
			e.leave(m)
			return
		case <-m.session.Done():
		case <-m.ctx.Done(): // evicted
		}
		m.giveUp(ErrSessionLost) // handlers first: others may start when the store has ended the session
		e.post(func() { e.lost(m, "session_lost") })
		m.awaitHandlers(ctx)
		e.endSession(m.session)
	}
}

// joinFailed raises an alarm when this instance can't join.
func (e *Engine) joinFailed(err error) {
	if ended(err) {
		e.end(err)
		return
	}
	e.troubled(&e.joining, []string{layout.Instances}, observe.Event{
		Args:   map[string]string{"operation": "join"},
		Detail: "join",
		Err:    err,
	})
}

// join starts a session and makes this instance known. own are the IDs that it has had; the new one is added.
func (e *Engine) join(ctx context.Context, own *ownIDs) (*member, error) {
	me, err := e.askSelf(ctx)
	if err != nil {
		return nil, err
	}
	evict, seen, err := e.predecessors(ctx, own)
	if err != nil {
		return nil, err
	}
	s, err := e.cfg.Store.NewSession(ctx, store.SessionOptions{TTL: e.cfg.TTL, Name: e.cfg.Name})
	if err != nil {
		return nil, err
	}
	m := &member{id: layout.InstanceID(e.cfg.Name, e.cfg.Incarnation()), session: s, doc: me.doc, clock: me.clock}
	own.tried = append(own.tried, m.id) // from here on its key may be there, whatever the answer is
	key := layout.InstanceKey(m.id)
	if err := e.putSets(ctx, s, me.sets.list); err != nil {
		e.endSession(s)
		return nil, fmt.Errorf("write the set of jobs of %s: %w", m.id, err)
	}
	now := e.cfg.Now()
	txn := store.Txn{Session: s, If: seen, Do: []store.Op{
		store.CreateEphemeral(key, me.doc.Encode()),
		store.CreateEphemeral(layout.HeartbeatKey(m.id), layout.Heartbeat{Clock: now, Version: moduleVersion()}.Encode()),
	}}
	if m.clock {
		txn.Do = append(txn.Do, store.CreateEphemeral(layout.ClockKey(m.id), layout.Clock{Clock: now}.Encode()))
	}
	txn.Do = append(txn.Do, me.sets.headers(nil)...)
	txn.Do = append(txn.Do, evict...)
	e.post(func() { e.clocks.sending(time.Time{}) })
	r, err := e.cfg.Store.Commit(ctx, txn)
	switch {
	case err == nil:
		m.version = r.Versions[0]
	case errors.Is(err, store.ErrUnknown):
		entry, readErr := e.cfg.Store.Get(ctx, key)
		if readErr != nil {
			e.endSession(s)
			return nil, fmt.Errorf("register %s: %w", m.id, err)
		}
		m.version = entry.Version
	default:
		e.endSession(s)
		return nil, fmt.Errorf("register %s: %w", m.id, err)
	}
	// Not derived from ctx: when the instance leaves, handlers get their time.
	m.ctx, m.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	return m, nil
}

// self is what an instance that joins tells the others.
type self struct {
	doc   layout.Instance
	sets  ownSets
	clock bool // it will be one of the oldest, and writes its clock
}

// askSelf has the loop say what this instance tells the others.
func (e *Engine) askSelf(ctx context.Context) (self, error) {
	answer := make(chan self, 1)
	select {
	case e.inbox <- posted{time.Now(), func() {
		e.mySets.restart(e.ownNames())
		answer <- self{e.self(), e.mySets, len(e.replica.peers) < clockWriters}
	}}:
	case <-ctx.Done():
		return self{}, ctx.Err()
	}
	select {
	case s := <-answer:
		return s, nil
	case <-ctx.Done():
		return self{}, ctx.Err()
	}
}

// farewell bounds how long the end of a session may take. If the store does not answer, the session ends by its TTL.
const farewell = 2 * time.Second

func (e *Engine) endSession(s store.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.life), farewell)
	defer cancel()
	_ = s.Close(ctx) // not to be reached: it ends by its TTL
}

// leave ends the session; the loop has ended before.
func (e *Engine) leave(m *member) {
	e.endSession(m.session)
	m.giveUp(ErrShutdown)
	e.emit(observe.Event{Kind: observe.Left, Instance: m.id, Shard: -1})
}

// joined takes up work as an instance.
func (e *Engine) joined(m *member) {
	e.me = m
	e.worked(&e.joining, slices.Sorted(maps.Keys(e.joining.failing))...)
	e.emit(e.joinedEvent(m.session.TTL()))
	if !e.isReady {
		e.isReady = true
		close(e.ready)
	}
	e.selfChanged = true
	e.pulse = heartbeat{there: true, clockThere: m.clock, count: e.pulse.count}
	e.arrived = time.Now()
	for _, j := range e.jobs {
		e.suspectAgain(j) // it waits its turn from now on, however long it was away
	}
	e.sightSelf()
	e.reviewAll()
	if e.replica.ended[m.id] {
		e.lookForSelf() // the key came and went before this process knew that it had joined
	}
	clear(e.replica.ended)
	e.leaveIfAsked()
	e.after(doubtAfter, func() {
		// A watch shows states and not events. A key that is deleted as soon as
		// it was created may never be shown.
		if e.me == m && !e.replica.alive(m.id) {
			e.lookForSelf()
		}
	})
}

// joinedEvent is the event of a join. It has a code if the store has granted a
// TTL that was not asked for.
func (e *Engine) joinedEvent(granted time.Duration) observe.Event {
	event := observe.Event{Kind: observe.Joined, Shard: -1}
	asked := e.cfg.TTL
	if s, ok := e.cfg.Store.(interface{ SessionTTL() time.Duration }); ok && asked <= 0 {
		asked = s.SessionTTL()
	}
	if asked > 0 && asked != granted {
		event.Code = "session_ttl"
		event.Args = map[string]string{"asked": asked.String(), "granted": granted.String()}
		event.Detail = fmt.Sprintf("the store granted a session TTL of %s, and not %s", granted, asked)
	}
	return event
}

// lost gives all work up: the store has ended the session, or may have. code
// names the reason.
func (e *Engine) lost(m *member, code string) {
	if e.me != m {
		return
	}
	e.emit(observe.Event{
		Kind:  observe.SessionLost,
		Shard: -1,
		Code:  code,
		Args:  map[string]string{"ttl": m.session.TTL().String()},
		Err:   context.Cause(m.ctx),
	})
	e.me = nil
	for _, j := range e.jobs {
		for _, s := range j.shards {
			s.known = false
			switch r := s.run; {
			case r == nil:
			case r.phase == failover.PhaseClaiming:
				e.setRun(s, nil) // whoever owns the shard now finds the claim of a dead instance, or none
			case r.phase == failover.PhaseWorking && r.carry == nil:
				e.watchRun(r, time.Now()) // its context has ended
			}
		}
	}
	for _, l := range []*lane{&e.records, &e.docs} {
		e.dropQueue(l)
		e.endSessionFaults(l)
	}
	e.reviewAll()
}

// endSessionFaults forgets which keys a lane could not write in a session that
// is over: other instances may have them from now on. Their alarms end when this
// instance has joined again.
func (e *Engine) endSessionFaults(l *lane) {
	for _, key := range slices.Sorted(maps.Keys(l.faults.failing)) {
		x := l.faults.failing[key]
		if e.joining.failing == nil {
			e.joining.failing = map[string]*fault{}
		}
		if e.joining.failing[key] == nil {
			x.incident.subjects++
			e.joining.failing[key] = &fault{incident: x.incident}
		}
		e.forgive(&l.faults, key)
	}
	l.faults = faults{}
	l.size.giveUp()
}

// evicted gives the session up though it may live: another instance declared
// this one dead, or nothing can be recorded any more. code names the reason.
func (e *Engine) evicted(code, why string) {
	m := e.me
	if m == nil {
		return
	}
	m.giveUp(fmt.Errorf("%w: %s", ErrSessionLost, why))
	e.lost(m, code)
}

// reviewAll looks at every job and shard again.
func (e *Engine) reviewAll() {
	e.lookAtAll()
	for _, j := range e.jobs {
		e.touch(j)
		for _, s := range j.shards {
			e.mark(s)
		}
	}
}

func (e *Engine) isMe(id string) bool { return e.me != nil && e.me.id == id }
