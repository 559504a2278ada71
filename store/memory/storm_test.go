package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// storm has clients commit, each a key of its own at a time, while all the
// faults there are befall them. The history of the server then reports whether
// what each Commit said is true.
type storm struct {
	world
	rng *rand.Rand // under mu

	mu      sync.Mutex
	applied map[string]time.Time // by key
	ended   map[string]time.Time // by session
	done    map[string]time.Time // by session: when its client knew
	counts  map[string]int       // by outcome, so that a storm in which nothing happens is noticed
}

func (s *storm) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

func (s *storm) fault(memory.Request) memory.Fault {
	wait := time.Duration(s.draw(4000)) * time.Millisecond
	switch s.draw(30) {
	case 0:
		return memory.Fault{LoseRequest: true, Broken: s.draw(2) == 0}
	case 1:
		return memory.Fault{LoseReply: true, Broken: s.draw(2) == 0}
	case 2:
		return memory.Fault{Late: wait}
	case 3:
		return memory.Fault{Late: wait, LoseReply: true, Broken: true}
	case 4:
		return memory.Fault{Before: wait}
	case 5:
		return memory.Fault{After: wait}
	case 6:
		return memory.Fault{Refuse: true}
	default:
		return memory.Fault{}
	}
}

// heard is the hook on the server's history.
func (s *storm) heard(c memory.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.Cause {
	case memory.Committed:
		for _, op := range c.Do {
			if _, twice := s.applied[op.Key]; twice {
				s.Errorf("%s was applied twice", op.Key)
			}
			s.applied[op.Key] = c.Time
		}
		if at, over := s.ended[c.Session]; over && c.Session != "" {
			s.Errorf("%s committed at %v, and ended at %v", c.Session, c.Time, at)
		}
	case memory.Expired, memory.Ended:
		s.ended[c.Session] = c.Time
	}
}

// write commits keys in one session until it is over.
func (s *storm) write(c *memory.Client, ss store.Session, name string) {
	for n := 0; ss.Err() == nil && n < 200; n++ {
		key := fmt.Sprintf("%s/%d", name, n)
		op := store.CreateEphemeral(key, nil)
		if s.draw(2) == 0 {
			op = store.Create(key, nil)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(100+s.draw(3000))*time.Millisecond)
		_, err := c.Commit(ctx, store.Txn{Session: ss, Do: []store.Op{op}})
		cancel()
		now := time.Now()
		s.mu.Lock()
		_, there := s.applied[key]
		outcome := "committed"
		switch {
		case err == nil && !there:
			s.Errorf("%s was committed, and not applied", key)
		case errors.Is(err, store.ErrUnknown):
			outcome = "unknown"
			if !there {
				s.applied[key] = now // so that it counts as twice if it comes later
			}
		case errors.Is(err, store.ErrSessionLost):
			outcome = "lost"
		case errors.Is(err, store.ErrUnavailable):
			outcome = "unavailable"
			if there {
				s.Errorf("%s was applied, and said to be unavailable: %v", key, err)
			}
			s.applied[key] = now
		case err != nil:
			s.Errorf("%s: %v", key, err)
		}
		s.counts[outcome]++
		s.mu.Unlock()
		time.Sleep(time.Duration(s.draw(500)) * time.Millisecond)
	}
}

func TestStormOfFaultsKeepsTheContract(t *testing.T) {
	counts := map[string]int{}
	for seed := range uint64(30) {
		simulate(t, func(w world) {
			s := &storm{
				world: w, rng: rand.New(rand.NewPCG(seed, 0)),
				applied: map[string]time.Time{}, ended: map[string]time.Time{}, done: map[string]time.Time{}, counts: counts,
			}
			w.server.OnCommit(s.heard)
			var writers sync.WaitGroup
			var clients []*memory.Client
			for i := range 4 {
				c := w.connect(fmt.Sprint(i))
				clients = append(clients, c)
				for k := range 3 {
					ss := w.session(c, time.Duration(2+s.draw(8))*time.Second)
					go func() {
						<-ss.Done()
						s.mu.Lock()
						defer s.mu.Unlock()
						s.done[ss.ID()] = time.Now()
						s.counts["sessions"]++
					}()
					writers.Go(func() { s.write(c, ss, fmt.Sprintf("%d-%d", i, k)) })
				}
				c.OnRequest(s.fault)
			}
			reader := w.connect("reader")
			watch := w.watch(reader, "")
			state := map[string]bool{}
			read := func(d time.Duration) {
				ctx, cancel := context.WithTimeout(context.Background(), d)
				defer cancel()
				for {
					u, err := watch.Next(ctx)
					if err != nil {
						return
					}
					if u.Reset {
						clear(state)
					}
					for _, e := range u.Entries {
						state[e.Key] = true
					}
					for _, key := range u.Deleted {
						delete(state, key)
					}
				}
			}
			for range 30 {
				c := clients[s.draw(len(clients))]
				c.Cut()
				if s.draw(4) == 0 {
					reader.Cut()
				}
				if s.draw(5) == 0 {
					w.server.Compact()
				}
				reader.SlowWatches(time.Duration(s.draw(2000))*time.Millisecond, time.Duration(s.draw(1000))*time.Millisecond)
				read(time.Duration(s.draw(6000)) * time.Millisecond)
				c.Heal()
				reader.Heal()
				read(time.Duration(s.draw(3000)) * time.Millisecond)
			}
			writers.Wait()
			for _, c := range clients {
				c.OnRequest(nil)
				c.Crash() // so that the server has to expire what is left
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			read(10 * time.Second)

			s.mu.Lock()
			defer s.mu.Unlock()
			for id, at := range s.ended {
				if known, ok := s.done[id]; ok && !known.Before(at) {
					t.Errorf("seed %d: session %s ended at %v, and its client knew at %v", seed, id, at, known)
				}
			}
			if left := w.server.Sessions(); len(left) != 0 {
				t.Errorf("seed %d: sessions %v are left", seed, left)
			}
			dump := w.server.Dump()
			for _, e := range dump {
				if e.Owner != "" || !state[e.Key] {
					t.Errorf("seed %d: %s is there with owner %q; the watch has it: %v", seed, e.Key, e.Owner, state[e.Key])
				}
			}
			if len(dump) != len(state) {
				t.Errorf("seed %d: %d keys, and the watch has %d", seed, len(dump), len(state))
			}
		})
	}
	for _, outcome := range []string{"committed", "unknown", "lost", "unavailable", "sessions"} {
		if counts[outcome] < 30 {
			t.Errorf("only %d %s in all storms: %v", counts[outcome], outcome, counts)
		}
	}
	t.Log(counts)
}
