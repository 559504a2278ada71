package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
}

// hang is a server that takes connections and never answers.
func hang(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func dialer(t *testing.T, n *storetest.NameServer) *Dialer {
	d := &Dialer{Resolver: n.Resolver()}
	t.Cleanup(d.Close)
	return d
}

// dial connects within a time, and returns the IP address that has won.
func dial(t *testing.T, d *Dialer, port string, within time.Duration) (string, net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", "store.example.test:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ip, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	return ip, c
}

// say sends a text and waits for the answer.
func say(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetDeadline(time.Now().Add(storetest.Patience))
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// The time that the driver for ZooKeeper gives to a connection is enough for a
// name whose first addresses are dead, in both families.
func TestDial_PassesDeadAddresses(t *testing.T) {
	for name, c := range map[string]struct{ silent, answer, want string }{
		"the first of two is silent":  {"127.0.0.2", "127.0.0.2 127.0.0.3", "127.0.0.3"},
		"the second of two is silent": {"127.0.0.3", "127.0.0.2 127.0.0.3", "127.0.0.2"},
		"two of three are silent":     {"127.0.0.2 127.0.0.3", "127.0.0.2 127.0.0.3 127.0.0.4", "127.0.0.4"},
		"IPv6 is silent":              {"::1", "::1 127.0.0.2", "127.0.0.2"},
		"IPv4 is silent":              {"127.0.0.2", "127.0.0.2 ::1", "::1"},
		"IPv6 refuses":                {"", "::1 127.0.0.2", "127.0.0.2"},
		"IPv6 alone":                  {"", "::1", "::1"},
	} {
		t.Run(name, func(t *testing.T) {
			port := storetest.Free(t)
			for _, ip := range strings.Fields(c.silent) {
				storetest.BlackHole(t, net.JoinHostPort(ip, port))
			}
			echo(t, net.JoinHostPort(c.want, port))
			d := dialer(t, storetest.StartNameServer(t, strings.Fields(c.answer)...))
			ip, conn := dial(t, d, port, time.Second)
			storetest.Equal(t, "address", ip, c.want)
			say(t, conn)
		})
	}
}

// A dial whose time is too short for all dead addresses passes some of them,
// and the next dial begins with the others.
func TestDial_RemembersDeadAddresses(t *testing.T) {
	port := storetest.Free(t)
	var answer []string
	for i := range 9 {
		ip := fmt.Sprintf("127.0.0.%d", i+2)
		answer = append(answer, ip)
		if i < 8 {
			storetest.BlackHole(t, net.JoinHostPort(ip, port))
		}
	}
	echo(t, net.JoinHostPort(answer[8], port))
	d := dialer(t, storetest.StartNameServer(t, answer...))
	for tries := 1; ; tries++ {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		c, err := d.DialContext(ctx, "tcp", "store.example.test:"+port)
		cancel()
		if err == nil {
			c.Close()
			break
		}
		storetest.Mention(t, err, "127.0.0.", "no answer")
		if tries == 9 {
			t.Fatal(err)
		}
	}
	first := d.order("store.example.test", d.hosts["store.example.test"].known)[0]
	storetest.Equal(t, "the first of the next dial", first.String(), answer[8])
}

// An address that takes connections and never answers is no server: the next
// connection is to another. So is one that the caller says this of.
func TestDial_LeavesAddressesThatDontServe(t *testing.T) {
	port := storetest.Free(t)
	hang(t, "127.0.0.2:"+port)
	echo(t, "127.0.0.3:"+port)
	d := dialer(t, storetest.StartNameServer(t, "127.0.0.2", "127.0.0.3"))
	ip, c := dial(t, d, port, storetest.Patience)
	storetest.Equal(t, "first", ip, "127.0.0.2")
	io.WriteString(c, "x")
	c.Close()
	ip, c = dial(t, d, port, storetest.Patience)
	storetest.Equal(t, "after a connection without an answer", ip, "127.0.0.3")
	say(t, c)
	c.Close()
	ip, _ = dial(t, d, port, storetest.Patience)
	storetest.Equal(t, "after an answer", ip, "127.0.0.3")
	d.Avoid("store.example.test:" + port)
	ip, _ = dial(t, d, port, storetest.Patience)
	storetest.Equal(t, "when both are avoided, the one that is longest ago", ip, "127.0.0.2")
}

// The last known addresses serve while the name server does not. A name that
// moves is followed at the next dial, and one that is gone is gone.
func TestDial_OutlivesTheNameServer(t *testing.T) {
	port := storetest.Free(t)
	echo(t, "127.0.0.2:"+port)
	n := storetest.StartNameServer(t, "127.0.0.2")
	d := dialer(t, n)
	dial(t, d, port, storetest.Patience)
	n.Break()
	dial(t, d, port, time.Second)
	n.Answer()
	_, err := d.DialContext(storetest.Bounded(t, storetest.Patience), "tcp", "store.example.test:"+port)
	storetest.Mention(t, err, "store.example.test", "no such host")
	echo(t, "127.0.0.3:"+port)
	n.Answer("127.0.0.3")
	ip, _ := dial(t, d, port, storetest.Patience)
	storetest.Equal(t, "address", ip, "127.0.0.3")
	n.Silence()
	ip, _ = dial(t, d, port, time.Second)
	storetest.Equal(t, "address", ip, "127.0.0.3")
}

// A name server that is slower than the dial is waited for by the next one.
func TestDial_KeepsASlowLookup(t *testing.T) {
	n := storetest.StartNameServer(t, "127.0.0.2")
	n.Silence()
	d := dialer(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := d.DialContext(ctx, "tcp", "store.example.test:1")
	storetest.Mention(t, err, "store.example.test", "name server")
	storetest.DontMention(t, err, "deadline")
	if !errors.Is(err, context.DeadlineExceeded) {
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
	}
	_, l, err := d.ask("store.example.test")
	if err != nil {
		t.Fatal(err)
	}
	_, again, _ := d.ask("store.example.test")
	storetest.Equal(t, "the lookup that is under way", again, l)
	d.Close()
	<-l.done
	if _, err := d.DialContext(t.Context(), "tcp", "store.example.test:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v after Close", err)
	}
}

// A dial without any time left is an error, and not a connection.
func TestDial_WithoutTimeFails(t *testing.T) {
	d := &Dialer{}
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	for _, addr := range []string{"127.0.0.1:1", "store.example.test:1"} {
		c, err := d.DialContext(ctx, "tcp", addr)
		if c != nil || !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "not answered") {
			t.Errorf("got %v, %v", c, err)
		}
	}
	d.Close()
}

// The families take turns, and addresses that did not serve come last.
func TestOrder_AlternatesFamilies(t *testing.T) {
	all := func(text string) (addrs []netip.Addr) {
		for _, a := range strings.Fields(text) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs
	}
	now := time.Now()
	for _, c := range []struct{ addrs, bad, want string }{
		{"", "", ""},
		{"::1 ::2 ::3 1.1.1.1 1.1.1.2", "", "::1 1.1.1.1 ::2 1.1.1.2 ::3"},
		{"1.1.1.1 1.1.1.2 ::1", "", "1.1.1.1 ::1 1.1.1.2"},
		{"1.1.1.1 1.1.1.2 1.1.1.3", "1.1.1.2 1.1.1.1", "1.1.1.3 1.1.1.2 1.1.1.1"},
	} {
		bad := map[netip.Addr]time.Time{}
		for i, a := range all(c.bad) {
			bad[a] = now.Add(time.Duration(i) * time.Second)
		}
		var got []string
		for _, a := range ordered(all(c.addrs), bad) {
			got = append(got, a.String())
		}
		storetest.Equal(t, c.addrs+" without "+c.bad, strings.Join(got, " "), c.want)
	}
}
