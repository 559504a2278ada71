// Package fenced is a resource that checks fences. It remembers the greatest
// fence of each shard, accepts writes with that fence or a greater one, and
// refuses smaller ones, which can only come from an instance that was declared
// dead while its code still ran. It is the outside world of the chaos tests.
//
// It keeps a log of all writes, and [Check] reads that log alone, so it finds a
// resource that forgets to refuse.
package fenced

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is a resource that listens on 127.0.0.1. Its methods are safe for
// concurrent use.
type Server struct {
	listener net.Listener
	http     http.Server
	wg       sync.WaitGroup

	mu       sync.Mutex
	greatest map[string]uint64 // by key
	log      []Write
	blind    bool // takes everything: a mutant, to show that Check finds it out
}

// Write is a requested write.
type Write struct {
	Time     time.Time
	Key      string // what is written to: job/shard
	Fence    uint64
	PID      int // of the writer
	Accepted bool
}

// Start returns a resource without writes.
func Start() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for writes: %w", err)
	}
	s := &Server{listener: l, greatest: map[string]uint64{}}
	s.http.Handler = s
	s.wg.Go(func() { _ = s.http.Serve(l) }) // until Close
	return s, nil
}

// URL is the address to post writes to, each with a body of key, fence and the
// writer's process: "report/3 17 4711". The answer is 200 if the write was
// accepted, 409 if its fence is smaller than one seen before.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" }

// Close ends the resource. Its log stays.
func (s *Server) Close() {
	s.http.Close()
	s.wg.Wait()
}

// Log returns all writes that were asked for, in the order in which the
// resource decided on them.
func (s *Server) Log() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// ServeHTTP takes or refuses a write.
func (s *Server) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<10))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	w, err := parse(string(body))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.write(w) {
		http.Error(answer, "a greater fence was seen", http.StatusConflict)
	}
}

func parse(body string) (w Write, err error) {
	if n, err := fmt.Sscan(body, &w.Key, &w.Fence, &w.PID); err != nil || n != 3 || w.Fence == 0 ||
		len(strings.Fields(body)) != 3 {
		return w, fmt.Errorf("write %q: want a key, a fence from 1 and a process", body)
	}
	return w, nil
}

// write accepts or refuses a write, and reports whether it was accepted.
func (s *Server) write(w Write) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Time = time.Now()
	w.Accepted = s.blind || w.Fence >= s.greatest[w.Key]
	s.greatest[w.Key] = max(s.greatest[w.Key], w.Fence)
	s.log = append(s.log, w)
	return w.Accepted
}

// Check returns what is wrong with a log: a write that was accepted though a
// greater fence had been, and one that was refused without reason.
func Check(log []Write) (wrong []string) {
	greatest := map[string]uint64{}
	for _, w := range log {
		g := greatest[w.Key]
		switch {
		case w.Accepted && w.Fence < g:
			wrong = append(wrong, fmt.Sprintf("%s: accepted after fence %d", w, g))
		case !w.Accepted && w.Fence >= g:
			wrong = append(wrong, fmt.Sprintf("%s: refused, though no greater fence was there", w))
		}
		greatest[w.Key] = max(g, w.Fence)
	}
	return wrong
}

// Shared returns the writes whose fence another process had used before: no
// resource can tell the two apart. That needs a store that gave the same fence
// twice, such as one that was put back to what it had been.
func Shared(log []Write) (wrong []string) {
	type use struct {
		key   string
		fence uint64
	}
	users := map[use]int{}
	for _, w := range log {
		by, used := users[use{w.Key, w.Fence}]
		if used && by != w.PID {
			wrong = append(wrong, fmt.Sprintf("%s: process %d has written with the same fence", w, by))
		}
		if !used {
			users[use{w.Key, w.Fence}] = w.PID
		}
	}
	return wrong
}

// Refused returns how many writes of a log were refused.
func Refused(log []Write) (n int) {
	for _, w := range log {
		if !w.Accepted {
			n++
		}
	}
	return n
}

func (w Write) String() string {
	return fmt.Sprintf(
		"%s write to %s with fence %d by process %d", w.Time.UTC().Format("15:04:05.000"), w.Key, w.Fence, w.PID,
	)
}
