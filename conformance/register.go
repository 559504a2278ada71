package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/elasticjob-go/elastic/store"
)

// The answers to many processes must be those of some sequential order that
// agrees with the time. Porcupine searches for that order.

// asked is a call on one key. Values are unique, so the version that a
// transaction compares with stands for the value that was read with it; no
// value means that the key is absent.
type asked struct {
	key      string
	get      bool
	from, to string
}

// answered is the outcome of a call.
type answered struct {
	value string // of a get
	err   error
}

// registerModel models one key. A transaction of unknown outcome was applied,
// or not, before its call returned, and never later.
var registerModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		has, in, out := state.(string), input.(asked), output.(answered)
		fits := has == in.from
		switch {
		case in.get && has == out.value:
			return []any{has}
		case in.get:
			return nil
		case out.err == nil && fits:
			return []any{in.to}
		case errors.Is(out.err, store.ErrConflict) && !fits:
			return []any{has}
		case errors.Is(out.err, store.ErrUnknown) && fits:
			return []any{has, in.to}
		case errors.Is(out.err, store.ErrUnknown):
			return []any{has}
		}
		return nil
	},
}

// journal collects the calls and their outcomes.
type journal struct {
	mu    sync.Mutex
	start time.Time
	ops   []porcupine.Operation
}

// note adds a call that began at a time and has ended. It skips a call that
// certainly had no effect and returned nothing.
func (j *journal) note(client int, began time.Time, in asked, out answered) {
	if out.err != nil && !errors.Is(out.err, store.ErrConflict) && !errors.Is(out.err, store.ErrUnknown) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ops = append(j.ops, porcupine.Operation{
		ClientId: client,
		Input:    in,
		Call:     int64(began.Sub(j.start)),
		Output:   out,
		Return:   int64(time.Since(j.start)),
	})
}

// check fails the case with the calls on the first key that no order explains.
func (t *test) check(j *journal) {
	t.Helper()
	keys := map[string][]porcupine.Operation{}
	for _, op := range j.ops {
		key := op.Input.(asked).key
		keys[key] = append(keys[key], op)
	}
	unknown := 0
	for key, ops := range keys {
		for _, op := range ops {
			if errors.Is(op.Output.(answered).err, store.ErrUnknown) {
				unknown++
			}
		}
		verdict := porcupine.CheckOperationsTimeout(registerModel.ToModel(), ops, patience)
		if verdict != porcupine.Ok {
			t.Fatalf("no order explains what was answered for %s (%s):\n%s", key, verdict, story(ops))
		}
	}
	t.Logf("%d calls on %d keys, %d of them of unknown outcome", len(j.ops), len(keys), unknown)
}

// story lists calls in the order of their starts.
func story(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range ops {
		in, out := op.Input.(asked), op.Output.(answered)
		what := fmt.Sprintf("%q -> %q: %v", in.from, in.to, out.err)
		if in.get {
			what = fmt.Sprintf("get: %q", out.value)
		}
		fmt.Fprintf(
			&b, "%9.3f to %9.3f ms  client %d  %s\n", float64(op.Call)/1e6, float64(op.Return)/1e6, op.ClientId, what,
		)
	}
	return b.String()
}

// register makes processes read and compare-and-swap a few keys while disturb
// causes faults. It ends when each has made its calls and disturb, which polls
// running, has returned.
func (t *test) register(disturb func(running func() bool, clients []*client)) {
	const workers, each = 6, 50
	var clients []*client
	for range workers {
		clients = append(clients, t.open())
	}
	j := &journal{start: time.Now()}
	var mu sync.Mutex
	left := workers
	running := func() bool { mu.Lock(); defer mu.Unlock(); return left > 0 }
	disturbed := make(chan struct{})
	go func() { defer close(disturbed); disturb(running, clients) }()
	t.all(workers, func(w int) error {
		defer func() { mu.Lock(); left--; mu.Unlock() }()
		return t.work(clients[w], w, each, disturbed, j)
	})
	<-disturbed
	t.check(j)
}

// work runs one process. It starts another session when it loses one.
func (t *test) work(c *client, number, each int, disturbed <-chan struct{}, j *journal) error {
	rand := t.rand(number)
	var ss store.Session
	for n := 0; ; n++ {
		if n >= each {
			select {
			case <-disturbed:
				return nil
			default:
			}
		}
		if ss == nil || ss.Err() != nil {
			next, err := c.NewSession(t.within(2*time.Second), store.SessionOptions{})
			if err != nil {
				if t.ctx().Err() != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
				continue
			}
			ss = next
		}
		key := fmt.Sprintf("d/%d", rand.IntN(3))
		ctx, cancel := context.WithTimeout(t.ctx(), 2*time.Second)
		began := time.Now()
		e, err := c.Portable.Get(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			e, err = store.Entry{}, nil
		}
		j.note(number, began, asked{key: key, get: true}, answered{string(e.Value), err})
		if err == nil {
			in := asked{key: key, from: string(e.Value), to: fmt.Sprintf("%d.%d", number, n)}
			txn := store.Txn{Session: ss}
			switch {
			case e.Version == 0:
				txn.Do = []store.Op{store.Create(key, []byte(in.to))}
			case rand.IntN(4) == 0:
				in.to = ""
				txn.If, txn.Do = []store.Cond{store.At(key, e.Version)}, []store.Op{store.Delete(key)}
			default:
				txn.If, txn.Do = []store.Cond{store.At(key, e.Version)}, []store.Op{store.Set(key, []byte(in.to))}
			}
			if t.caps.StrongVersions || in.to != "" { // a version that comes back stands for more than one value
				began = time.Now()
				_, err := c.Portable.Commit(ctx, txn)
				if errors.Is(err, store.ErrSessionLost) {
					// It may have been applied, or may still be until the store
					// has ended the session.
					err = store.ErrUnknown
					cancel()
					if err := t.buried(c, ss); err != nil {
						return err
					}
				}
				j.note(number, began, in, answered{err: err})
			}
		}
		cancel()
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // a history that is too long takes long to explain
		if t.ctx().Err() != nil {
			return fmt.Errorf("after %d calls: %w", n, t.ctx().Err())
		}
	}
}

// buried waits until the store has ended a session that was lost, by its clock
// at the latest.
func (t *test) buried(c *client, ss store.Session) error {
	select {
	case <-time.After(time.Until(ss.Deadline().Add(t.expired(ss)))):
		return nil
	case <-t.ctx().Done():
		return t.ctx().Err()
	}
}

// registerOnABadNetwork loses and delays messages and breaks connections, of
// one process after the other.
func registerOnABadNetwork(t *test) {
	t.register(func(running func() bool, clients []*client) {
		rand := t.rand(1000)
		var all []Wire
		for _, c := range clients {
			all = append(all, t.wire(c))
		}
		for end := time.Now().Add(4 * time.Second); running() && time.Now().Before(end); {
			w := all[rand.IntN(len(all))]
			moment := time.Duration(rand.IntN(150)) * time.Millisecond
			switch rand.IntN(4) {
			case 0:
				w.DropReplies()
			case 1:
				w.DropRequests()
			case 2:
				w.Delay(moment)
			case 3:
				w.Reset()
			}
			time.Sleep(moment)
			w.Heal()
		}
	})
}

// registerOnACluster kills and freezes members, a leader more often than not.
func registerOnACluster(t *test) {
	m := t.onCluster()
	t.register(func(running func() bool, _ []*client) {
		rand := t.rand(1000)
		for n := 0; n < 3 && running(); n++ {
			victim := m.Leader()
			if victim < 0 || rand.IntN(3) == 0 {
				victim = rand.IntN(3)
			}
			moment := time.Duration(500+rand.IntN(1000)) * time.Millisecond
			if rand.IntN(2) == 0 {
				m.Kill(t.TB, victim)
				time.Sleep(moment)
				m.Start(t.TB, victim)
			} else {
				m.Pause(t.TB, victim)
				time.Sleep(moment)
				m.Resume(t.TB, victim)
			}
		}
	})
}
