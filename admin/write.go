package admin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// act is a kind of write.
type act struct {
	name string // such as "disable"

	// repeats: the wish does not depend on what another writer changed. After a
	// conflict it is planned and tried again.
	repeats bool

	// plan reads what the write depends on, checks it and returns the write. It
	// is called once for each try.
	plan func(ctx context.Context, o options, at moment) (plan, error)
}

// plan is a write that is ready to be sent.
type plan struct {
	target       string
	rev          uint64
	number       uint64
	changes      []layout.Change
	consequences []string
	warnings     []string
	saved        string // the value that a repair replaces

	// conditions and ops are the transaction. changed returns by whom and when,
	// for documents that hold it. No ops: there is nothing to change.
	conditions []store.Cond
	ops        func(layout.Changed) []store.Op
}

const (
	tries    = 5 // of an act after conflicts
	minPause = 50 * time.Millisecond
	maxPause = 400 * time.Millisecond
)

// do does an act as the package comment says.
func (c *Client) do(ctx context.Context, a act, target string, all []ActOption) (Receipt, error) {
	r, err := c.try(ctx, a, all)
	if err != nil {
		what := a.name
		if target != "" {
			what += " " + strconv.Quote(clip(target))
		}
		return r, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

func clip(text string) string {
	if len(text) > layout.MaxBy {
		return text[:layout.MaxBy]
	}
	return text
}

func (c *Client) try(ctx context.Context, a act, all []ActOption) (Receipt, error) {
	o, err := c.collect(all)
	if err != nil {
		return Receipt{}, err
	}
	id := o.op
	if id == "" {
		id = NewOp()
	}
	var last error
	for n := range tries {
		if n > 0 && !sleep(ctx, minPause+rand.N(maxPause-minPause)) {
			break
		}
		r, again, err := c.once(ctx, a, o, id)
		if !again {
			return r, err
		}
		if last = err; !a.repeats && errors.Is(err, store.ErrConflict) {
			return Receipt{}, c.changed(ctx, a, o, err)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return Receipt{}, errors.Join(last, err)
	}
	return Receipt{}, fmt.Errorf("tried %d times: %w", tries, last)
}

// once plans an act and sends it. again reports whether nothing was written and
// another try can succeed.
func (c *Client) once(ctx context.Context, a act, o options, id string) (_ Receipt, again bool, _ error) {
	at, err := c.clock(ctx, o)
	var p plan
	if err == nil {
		p, err = a.plan(ctx, o, at)
	}
	if err != nil || p.ops == nil {
		// An earlier call of the same op may be the reason.
		if r, ok, readErr := c.earlier(ctx, o.op); ok || readErr != nil {
			return r, false, readErr
		}
	}
	if err != nil {
		return Receipt{}, false, err
	}
	by := layout.Changed{
		By:  c.by,
		At:  at.Time,
		Via: c.via,
		Why: o.why,
		Op:  id,
	}
	entry := layout.Audit{
		Act:     a.name,
		Target:  p.target,
		Changed: by,
		Rev:     p.rev,
		Changes: p.changes,
		Saved:   p.saved,
	}
	if p.number != 0 {
		number := layout.Change{Field: numberField, New: strconv.FormatUint(p.number, 10)}
		entry.Changes = append([]layout.Change{number}, entry.Changes...)
	}
	r := receiptOf("", entry)
	r.Consequences = p.consequences
	r.Warnings = p.warnings
	r.Differs = p.ops != nil
	if o.dryRun || p.ops == nil {
		return r, false, nil
	}
	if err := entry.Check(); err != nil {
		return Receipt{}, false, invalid("%w", err)
	}
	r.ID = id
	key := layout.AuditKey(id)
	txn := store.Txn{If: p.conditions, Do: append(p.ops(by), store.Create(key, entry.Encode()))}
	err = c.commit(ctx, txn)
	switch {
	case err == nil:
		r.Applied = true
		return r, false, nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrSessionLost):
	default:
		return Receipt{}, false, err // nothing was written
	}
	// The entry tells whether it was applied, now or by an earlier call.
	stored, there, readErr := c.settle(ctx, id)
	switch {
	case readErr != nil:
		return Receipt{}, false, fmt.Errorf("%w: %w; read %s, which tells if it was done: %w",
			store.ErrUnknown, err, key, readErr)
	case there && errors.Is(err, store.ErrConflict) && o.op != "":
		stored.Earlier = true
		return stored, false, nil
	case there:
		stored.Applied = true
		stored.Consequences, stored.Warnings = r.Consequences, r.Warnings
		return stored, false, nil
	}
	switch {
	case errors.Is(err, store.ErrUnknown): // it was settled: it will not be applied later
		err = fmt.Errorf("%w: the answer was lost, and it was not done", store.ErrUnavailable)
	case errors.Is(err, store.ErrSessionLost): // it can still be applied, and then the next try finds it
		err = fmt.Errorf("%w: %w; read %s, which tells if it was done", store.ErrUnknown, err, key)
	}
	return Receipt{}, true, err
}

// earlier returns the receipt of an op that the caller named, if it was done.
func (c *Client) earlier(ctx context.Context, op string) (Receipt, bool, error) {
	if op == "" {
		return Receipt{}, false, nil
	}
	r, there, err := c.settle(ctx, op)
	r.Earlier = there
	return r, there, err
}

// settle reads an entry of the audit. A read that fails is repeated until ctx
// ends: only it can tell what became of the write.
func (c *Client) settle(ctx context.Context, id string) (r Receipt, there bool, err error) {
	for range tries {
		var e store.Entry
		e, err = c.get(ctx, layout.AuditKey(id))
		if err == nil && e.Version == 0 {
			return Receipt{}, false, nil
		}
		if err == nil {
			a, err := layout.DecodeAudit(e.Value)
			if err != nil {
				return Receipt{}, false, &UnreadableError{e.Key, err}
			}
			return receiptOf(id, a), true, nil
		}
		if !errors.Is(err, store.ErrUnavailable) || !sleep(ctx, minPause+rand.N(maxPause-minPause)) {
			break
		}
	}
	return Receipt{}, false, err
}

// changed returns the error of an act that another writer's change refused.
func (c *Client) changed(ctx context.Context, a act, o options, cause error) error {
	at, err := c.clock(ctx, o)
	if err == nil {
		_, err = a.plan(ctx, o, at) // it compares the revision, and says who changed it
	}
	if errors.Is(err, ErrChanged) || errors.Is(err, ErrRemoved) {
		return err
	}
	return fmt.Errorf("%w; read it again: %w", ErrChanged, cause)
}

// commit sends a transaction with the session of the client as its guard. The
// first one starts the session, and a lost one is replaced for the next.
func (c *Client) commit(ctx context.Context, t store.Txn) error {
	s, err := c.startSession(ctx)
	if err != nil {
		return err
	}
	t.Session = s
	_, err = c.store.Commit(ctx, t)
	if errors.Is(err, store.ErrSessionLost) {
		c.dropSession(s)
	}
	return err
}

func (c *Client) startSession(ctx context.Context) (store.Session, error) {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s != nil && s.Err() == nil {
		return s, nil
	}
	s, err := c.store.NewSession(ctx, store.SessionOptions{TTL: store.DefaultTTL, Name: "admin of " + c.by})
	if err != nil {
		return nil, fmt.Errorf("start a session: %w", err)
	}
	c.mu.Lock()
	before := c.session
	if before != nil && before.Err() == nil {
		s, before = before, s // another call was faster
	} else {
		c.session = s
	}
	c.mu.Unlock()
	if before != nil {
		c.endSession(before)
	}
	return s, nil
}

func (c *Client) dropSession(s store.Session) {
	c.mu.Lock()
	if c.session == s {
		c.session = nil
	}
	c.mu.Unlock()
	c.endSession(s)
}

// endSession ends a session. If the store does not answer, it ends by its TTL.
func (c *Client) endSession(s store.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = s.Close(ctx)
}

// farewell bounds how long the end of a session may take.
const farewell = 2 * time.Second

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func numberIn(changes []layout.Change) uint64 {
	for _, c := range changes {
		if c.Field == numberField {
			n, _ := strconv.ParseUint(c.New, 10, 64) // zero: it is none
			return n
		}
	}
	return 0
}
