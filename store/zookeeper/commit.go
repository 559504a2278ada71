package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/go-zookeeper/zk"
)

// mostDetours is how often a transaction is sent again because directories are
// missing, or the marker was moved. Each time the server must have removed a
// directory in between, which it does when they are empty, or a seal must have
// been under way.
const mostDetours = 20

// Commit applies a transaction in one request, and makes the directories that
// it needs before it if they are missing.
func (s *client) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if s.running.Closed() {
		return store.Result{}, store.ErrClosed
	}
	if t.Session != nil {
		n, err := sessions.Of(t, func(n *session) bool { return n.store == s })
		if err != nil {
			return store.Result{}, err
		}
		return n.commit(ctx, t)
	}
	p := s.plan(t, nil)
	if len(p.ops) == 0 {
		return store.Result{}, nil
	}
	for detours := 0; ; detours++ {
		l, _, err := s.connection(ctx)
		if err != nil {
			return store.Result{}, s.readError(err)
		}
		answers, class, why := l.submit(ctx, p)
		if class != nil {
			if class == store.ErrSessionLost { // the reader's, which is replaced
				class = store.ErrUnavailable
			}
			return store.Result{}, failed(class, why)
		}
		f, op, err := p.fault(answers)
		if f == noFault {
			return p.result(answers), nil
		}
		again, err := l.detour(ctx, p, f, op, err)
		if !again || detours == mostDetours {
			return store.Result{}, err
		}
	}
}

// commit is Commit for a transaction that the session guards: the marker must
// be at the version that the session knows.
func (s *session) commit(ctx context.Context, t store.Txn) (store.Result, error) {
	ctx, cancel := s.Context(ctx)
	defer cancel()

	p := s.store.plan(t, s)
	for detours := 0; ; detours++ {
		if err := s.Err(); err != nil {
			return store.Result{}, err
		}
		guard := s.guard.Load()
		p.guard(guard)
		answers, class, why := s.link.submit(ctx, p)
		switch class {
		case nil:
		case store.ErrUnknown:
			return store.Result{}, s.settle(guard, why)
		case store.ErrSessionLost:
			s.Life.End(store.ErrSessionLost)
			return store.Result{}, failed(class, why)
		default:
			if err := s.Err(); err != nil {
				return store.Result{}, err
			}
			return store.Result{}, failed(class, why)
		}
		f, op, err := p.fault(answers)
		again := false
		switch f {
		case noFault:
			return p.result(answers), nil
		case guardGone:
			s.Life.End(store.ErrSessionLost)
			return store.Result{}, store.ErrSessionLost
		case guardMoved: // by the seal of another transaction, whose reply was lost
			if err := s.learnGuard(ctx, guard); err != nil {
				return store.Result{}, err
			}
			again, err = true, fmt.Errorf("%w: the marker %s is moved again and again", store.ErrUnavailable, s.marker)
		default:
			again, err = s.link.detour(ctx, p, f, op, err)
			if ended := s.Err(); ended != nil {
				return store.Result{}, ended
			}
		}
		if !again || detours == mostDetours {
			return store.Result{}, err
		}
	}
}

// suspicious is the size of a request from on which a server that ends the
// connection may have done so for the size: the lowest limits seen are 4 KiB.
const suspicious = 3 << 10

// submit sends a transaction once. Without a class the server has answered it,
// one way or the other. The class ErrUnknown means that it may have been
// applied or may be yet; any other, that it never will be. The last result is
// the reason.
func (l *link) submit(ctx context.Context, p *plan) (answers []zk.MultiResponse, class, why error) {
	w, err := l.ready(ctx)
	if err != nil {
		class := refusal(err)
		if class == nil {
			class = store.ErrUnavailable
		}
		return nil, class, err
	}
	ops := p.ops
	if p.guarded {
		ops = append([]any{}, ops...) // the next attempt may begin with another guard while this one is being sent
	}
	answers, err = call(ctx, func() ([]zk.MultiResponse, error) { return l.conn.Multi(ops...) })
	if f, _, _ := p.fault(answers); f != noFault || err == nil && len(answers) == len(p.ops) {
		return answers, nil, nil
	}
	if err == nil {
		err = fmt.Errorf("%d answers to %d operations", len(answers), len(p.ops))
	}
	class = refusal(err)
	switch {
	case class != nil:
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion), errors.Is(err, zk.ErrNodeExists): // of which operation is not said
		class = store.ErrUnavailable
	default:
		class = store.ErrUnknown
		if size := p.bytes(); w.hungUp.Load() && size >= suspicious {
			err = fmt.Errorf("%w: the server closed the connection on a request of %d KiB: is its jute.maxbuffer lower?", err, (size+1023)>>10)
		}
	}
	return nil, class, err
}

// detour makes the directories that a transaction was refused for, and returns
// false and the error that it failed with if that is not why.
func (l *link) detour(ctx context.Context, p *plan, f fault, op int, err error) (again bool, _ error) {
	if f != parentAbsent {
		return false, err
	}
	if err := l.makeDirectories(ctx, p.parents); err != nil {
		return false, directoryError(err)
	}
	return true, fmt.Errorf("%w: the directory of %s is removed again and again", store.ErrUnavailable, p.keys[op])
}

func directoryError(err error) error {
	class := refusal(err)
	if class == nil {
		class = store.ErrUnavailable
	}
	return failed(class, fmt.Errorf("make directory: %w", err))
}

// makeDirectories makes directories and those above them, if they are missing.
// They are containers, which the server removes when they have become empty;
// and no part of the transaction, as the client library does not understand the
// answer to that.
func (l *link) makeDirectories(ctx context.Context, paths []string) error {
	for len(paths) > 0 {
		w, err := l.ready(ctx)
		if err != nil {
			return err
		}
		asks := make([]ask, len(paths))
		for i, path := range paths {
			asks[i] = makingDirectory(path, l.hosts.acl())
		}
		replies, err := w.ask(ctx, asks...)
		if errors.Is(err, errBroken) { // which is no reason not to try again: twice is as good as once
			continue
		}
		if err != nil {
			return err
		}
		var left, above []string
		for i, path := range paths {
			switch err := replies[i].err; {
			case err == nil, errors.Is(err, zk.ErrNodeExists):
			case errors.Is(err, zk.ErrNoNode) && parent(path) != "":
				left = append(left, path)
				if up := parent(path); !slices.Contains(above, up) {
					above = append(above, up)
				}
			default:
				return err
			}
		}
		if err := l.makeDirectories(ctx, above); err != nil {
			return err
		}
		paths = left
	}
	return nil
}

// settle makes an unknown outcome final before it is reported: no copy of the
// transaction that is still on its way can commit afterwards. If that cannot be
// had, the session is over, which comes to the same.
func (s *session) settle(guard int32, why error) error {
	if _, err := s.guard.Seal(s.Life, s.Granted, guard, s.moveMarker); err != nil {
		return failed(err, why)
	}
	return failed(store.ErrUnknown, why)
}

// moveMarker writes the marker if it is at a version, and returns the version
// at which it is then: see sessions.Guard.Seal.
func (s *session) moveMarker(from int32) (int32, error) {
	ctx, cancel := context.WithTimeout(s.Life.Context(), s.attempt())
	defer cancel()
	at, err := s.writeMarker(ctx, from)
	if class := refusal(err); class == store.ErrSessionLost || class == store.ErrPermission || errors.Is(err, zk.ErrNoNode) {
		err = failed(store.ErrSessionLost, err)
	}
	return at, err
}

func (s *session) writeMarker(ctx context.Context, from int32) (int32, error) {
	if _, err := s.link.ready(ctx); err != nil {
		return 0, err
	}
	return call(ctx, func() (int32, error) {
		stat, err := s.link.conn.Set(s.marker, []byte(s.name), from)
		if errors.Is(err, zk.ErrBadVersion) {
			_, stat, err = s.link.conn.Get(s.marker)
		}
		if err != nil {
			return 0, err
		}
		return stat.Version, nil
	})
}

// learnGuard finds out the version of the marker, which is not what the session
// thought.
func (s *session) learnGuard(ctx context.Context, thought int32) error {
	now, err := call(ctx, func() (int32, error) {
		_, stat, err := s.link.conn.Get(s.marker)
		if err != nil {
			return 0, err
		}
		return stat.Version, nil
	})
	switch {
	case err == nil:
		s.guard.Learn(thought, now)
		return nil
	case s.Err() != nil:
		return s.Err()
	case errors.Is(err, zk.ErrNoNode), refusal(err) == store.ErrSessionLost:
		s.Life.End(store.ErrSessionLost)
		return failed(store.ErrSessionLost, err)
	}
	return failed(store.ErrUnavailable, err)
}
