package testservers_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// echo is a server that answers each line with itself in capitals, and records
// what it was asked.
type echo struct {
	addr  string
	asked chan string
}

func startEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	e := &echo{addr: l.Addr().String(), asked: make(chan string, 100)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewScanner(c); in.Scan(); {
					e.asked <- in.Text()
					fmt.Fprintln(c, strings.ToUpper(in.Text()))
				}
			}()
		}
	}()
	return e
}

// line is a client's connection.
type line struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, p *testservers.Proxy) *line {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &line{t, c, bufio.NewReader(c)}
}

func (l *line) ask(text string) {
	l.t.Helper()
	if _, err := fmt.Fprintln(l, text); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) answer() string {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, err := l.in.ReadString('\n')
	if err != nil {
		l.t.Fatalf("no answer: %v", err)
	}
	return strings.TrimSpace(text)
}

// broken waits for the connection to end.
func (l *line) broken() {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, l.in); errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Fatal("the connection is still there")
	}
}

func (e *echo) wasAsked(t *testing.T) string {
	t.Helper()
	select {
	case text := <-e.asked:
		return text
	case <-time.After(10 * time.Second):
		t.Fatal("the server was asked nothing")
		return ""
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestProxy_CarriesBothWays(t *testing.T) {
	p := testservers.StartProxy(t, startEcho(t).addr)
	c := dial(t, p)
	c.ask("one")
	equal(t, c.answer(), "ONE")
	equal(t, p.Connections(), 1)
	c.Close()
	await(t, "the proxy to forget the connection", func() bool { return p.Connections() == 0 })
}

func TestProxy_ResetBreaksOldConnections(t *testing.T) {
	p := testservers.StartProxy(t, startEcho(t).addr)
	c := dial(t, p)
	c.ask("one")
	c.answer()
	p.Reset()
	c.broken()
	c = dial(t, p)
	c.ask("two")
	equal(t, c.answer(), "TWO")
}

func TestProxy_CutRefusesUntilHeal(t *testing.T) {
	p := testservers.StartProxy(t, startEcho(t).addr)
	c := dial(t, p)
	c.ask("one")
	c.answer()
	p.Cut()
	c.broken()
	dial(t, p).broken()
	p.Heal()
	c = dial(t, p)
	c.ask("two")
	equal(t, c.answer(), "TWO")
}

func TestProxy_HoldLosesNothing(t *testing.T) {
	e := startEcho(t)
	p := testservers.StartProxy(t, e.addr)
	c := dial(t, p)
	p.Hold(testservers.ToServer)
	c.ask("one")
	await(t, "the bytes to be held", func() bool { return p.Held(testservers.ToServer) == len("one\n") })
	equal(t, len(e.asked), 0)
	p.Heal()
	equal(t, c.answer(), "ONE")
	equal(t, e.wasAsked(t), "one")

	p.Hold(testservers.ToClient)
	c.ask("two")
	equal(t, e.wasAsked(t), "two")
	await(t, "the answer to be held", func() bool { return p.Held(testservers.ToClient) == len("two\n") })
	p.Heal()
	equal(t, c.answer(), "TWO")
}

func TestProxy_DropLosesReplies(t *testing.T) {
	e := startEcho(t)
	p := testservers.StartProxy(t, e.addr)
	lossy, idle := dial(t, p), dial(t, p)
	idle.ask("zero")
	idle.answer()
	e.wasAsked(t)
	p.Drop(testservers.ToClient)
	lossy.ask("one")
	equal(t, e.wasAsked(t), "one") // the request passed
	await(t, "the reply to be lost", func() bool { return p.Dropped() == len("ONE\n") })
	p.Heal()
	lossy.broken()
	idle.ask("two")
	equal(t, idle.answer(), "TWO")
}

func TestProxy_MutedConnectionStaysSilent(t *testing.T) {
	e := startEcho(t)
	p := testservers.StartProxy(t, e.addr)
	c := dial(t, p)
	c.ask("one")
	c.answer()
	e.wasAsked(t)
	p.Mute()
	c.ask("two")
	await(t, "the bytes to be held", func() bool { return p.Held(testservers.ToServer) > 0 })
	p.Heal()
	fresh := dial(t, p)
	fresh.ask("three")
	equal(t, fresh.answer(), "THREE")
	equal(t, e.wasAsked(t), "three")
	equal(t, p.Held(testservers.ToServer), len("two\n"))
}

func TestProxy_DelayIsAdded(t *testing.T) {
	const by = 50 * time.Millisecond
	p := testservers.StartProxy(t, startEcho(t).addr)
	c := dial(t, p)
	c.ask("warm")
	c.answer()
	p.Delay(testservers.Both, by)
	start := time.Now()
	c.ask("one")
	equal(t, c.answer(), "ONE")
	if took := time.Since(start); took < 2*by {
		t.Errorf("answered after %v, want at least %v", took, 2*by)
	}
}

func TestProxy_OrphanArrivesLate(t *testing.T) {
	e := startEcho(t)
	p := testservers.StartProxy(t, e.addr)
	c := dial(t, p)
	p.Hold(testservers.ToServer)
	c.ask("late")
	await(t, "the bytes to be held", func() bool { return p.Held(testservers.ToServer) > 0 })
	p.Orphan()
	c.broken()

	fresh := dial(t, p)
	fresh.ask("rival")
	equal(t, fresh.answer(), "RIVAL")
	equal(t, e.wasAsked(t), "rival")

	p.Release()
	equal(t, e.wasAsked(t), "late")
}

func TestProxy_TrickleLosesNothing(t *testing.T) {
	p := testservers.StartProxy(t, startEcho(t).addr)
	c := dial(t, p)
	p.Trickle(testservers.ToClient)
	text := strings.Repeat("x", 640)
	start := time.Now()
	c.ask(text)
	equal(t, c.answer(), strings.ToUpper(text))
	if took := time.Since(start); took < 10*time.Millisecond {
		t.Errorf("640 bytes, 64 a millisecond, came in %v", took)
	}
	p.Heal()
	c.ask("one")
	equal(t, c.answer(), "ONE")
}

// kept collects the bytes that a tap gets.
type kept struct {
	mu   sync.Mutex
	text strings.Builder
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func TestProxy_TapSeesAllSentBytes(t *testing.T) {
	p := testservers.StartProxy(t, startEcho(t).addr)
	up, down := &kept{}, &kept{}
	p.Tap(func() (io.Writer, io.Writer) { return up, down })
	c := dial(t, p)
	c.ask("one")
	c.answer()
	p.Drop(testservers.ToServer)
	c.ask("two")
	await(t, "the tap to see both questions and one answer", func() bool {
		return up.String() == "one\ntwo\n" && down.String() == "ONE\n"
	})
}
