package closer

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// session and watch tell when they are closed.
type session struct{ ended func() error }

func (s *session) Close(context.Context) error { return s.ended() }

type watch struct{ ended func() error }

func (w *watch) Close() error { return w.ended() }

func idle() error { return nil }

func TestClose_BeginsNothingAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which waits for what has been begun nevertheless
		s := New[*watch]()
		if s.Closed() {
			t.Error("closed before Close")
		}
		s.Close(t.Context())
		if !s.Closed() {
			t.Error("open after Close")
		}
		ran := func() { t.Error("something runs after Close") }
		if s.Go(ran) || s.AddSession(&session{idle}, ran) || s.AddWatch(&watch{idle}, ran) {
			t.Error("a closed store has taken something in")
		}
		if open := s.Watches(); len(open) > 0 {
			t.Errorf("%d watches are open", len(open))
		}
	})
}

func TestClose_OrderOfEnds(t *testing.T) {
	s := New[*watch]()
	var story []string
	tell := func(what string) error {
		if s.Context().Err() != nil {
			what += " too late"
		}
		story = append(story, what)
		return nil
	}
	s.AddWatch(&watch{func() error { return tell("watch") }})
	s.AddSession(&session{func() error { return tell("session") }})
	s.Go(func() {
		<-s.Context().Done()
		story = append(story, "goroutine")
	})
	s.Close(t.Context())
	if want := []string{"watch", "session", "goroutine"}; !slices.Equal(story, want) {
		t.Errorf("got %v, want %v", story, want)
	}
}

func TestClose_SessionsEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[*watch]()
		began := time.Now()
		slow := func(err error) func() error {
			return func() error { time.Sleep(time.Second); return err } // virtual
		}
		one, two := errors.New("one"), errors.New("two")
		s.AddSession(&session{slow(one)})
		s.AddSession(&session{slow(nil)})
		err := s.Close(t.Context(), func(context.Context) error { return slow(two)() })
		if took := time.Since(began); took != time.Second {
			t.Errorf("three farewells of a second took %v", took)
		}
		if !errors.Is(err, one) || !errors.Is(err, two) {
			t.Errorf("got %v, want both errors", err)
		}
	})
}

func TestClose_SessionsHaveCallersTime(t *testing.T) {
	s := New[*watch]()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Close(ctx, func(ctx context.Context) error { return ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClose_LeavesRemovedAlone(t *testing.T) {
	s := New[*watch]()
	fail := func() error { t.Error("closed once more"); return nil }
	n, w, open := &session{fail}, &watch{fail}, &watch{idle}
	s.AddSession(n)
	s.AddWatch(w)
	s.AddWatch(open)
	s.RemoveSession(n)
	s.RemoveWatch(w)
	s.RemoveWatch(w)
	if got := s.Watches(); !slices.Equal(got, []*watch{open}) {
		t.Errorf("got %v", got)
	}
	s.Close(t.Context())
}

func TestClose_MembersMayRemoveThemselves(t *testing.T) {
	s := New[*watch]()
	n, w := &session{}, &watch{}
	n.ended = func() error { s.RemoveSession(n); return nil }
	w.ended = func() error { s.RemoveWatch(w); return nil }
	s.AddSession(n)
	s.AddWatch(w)
	if err := s.Close(t.Context()); err != nil || len(s.Watches()) > 0 {
		t.Errorf("got %v, and %d watches are left", err, len(s.Watches()))
	}
}

func TestClose_SecondOnlyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[*watch]()
		farewells := 0
		s.AddSession(&session{func() error { farewells++; return errors.New("of the first") }})
		began := time.Now()
		s.AddWatch(&watch{idle}, func() {
			<-s.Context().Done()
			time.Sleep(time.Minute) // virtual
		})
		go s.Close(t.Context())
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("the second got %v", err)
		}
		if took := time.Since(began); took != time.Minute || farewells != 1 {
			t.Errorf("took %v and said %d farewells", took, farewells)
		}
	})
}

// A second Close returns after the sessions have ended, also if no goroutine is
// left: its caller closes the connections on which they end.
func TestClose_SecondWaitsForEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[*watch]()
		ended := false
		s.AddSession(&session{func() error {
			time.Sleep(time.Minute) // virtual
			ended = true
			return nil
		}})
		go s.Close(t.Context())
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil || !ended {
			t.Errorf("the second returned %v before the session had ended", err)
		}
	})
}
