package testharness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// ZooKeeper is the harness of the driver for ZooKeeper.
func ZooKeeper(t testing.TB) conformance.Harness { t.Helper(); return zooKeeper(t, "") }

// ZooKeeperClassic is the harness of the driver for ZooKeeper without
// persistent watches.
func ZooKeeperClassic(t testing.TB) conformance.Harness {
	t.Helper()
	return zooKeeper(t, "?watch=classic")
}

func zooKeeper(t testing.TB, params string) conformance.Harness {
	t.Helper()
	return newRemote(t, kind{
		scheme: "zookeeper", params: params,
		start: func(t testing.TB, members int) (all []server) {
			var config []string
			if members > 1 {
				// sessions that outlive changes of leaders on a busy machine
				config = append(config, "maxSessionTimeout=60000")
			}
			for _, z := range testservers.StartZooKeeperEnsemble(t, members, config...) {
				all = append(all, z)
			}
			return all
		},
		tap:     func(n *space) tap { return ofZooKeeper(n) },
		budget:  zooKeeperBudget,
		expire:  expireZooKeeper,
		compact: func(testing.TB, server) {}, // it keeps no history for watches
		// ZooKeeper has no such request. A leader that stops and is back at
		// once can be elected again, so it stays away until another one leads.
		transfer: func(t testing.TB, m *members, leader int) {
			m.Stop(t, leader)
			m.awaitLeader(t)
			m.Start(t, leader)
		},
		guard: guardZooKeeper,
	})
}

// zooKeeperBudget has a sync before each read, and a get after each change that
// a watch tells. A list asks for the children of each directory and the value
// of each key: here, of one directory with three.
var zooKeeperBudget = conformance.Budget{
	Get:         2,
	List:        5,
	Commit:      1,
	NewSession:  2,
	WatchStart:  5,
	WatchChange: 1,
	IdleMinute:  40,
}

// ofZooKeeper counts requests, pings included, and notes the passwords of
// sessions in the answers of the server.
func ofZooKeeper(n *space) tap {
	return func(message func()) (up, down io.Writer) {
		frame := func(buf []byte) int {
			if len(buf) < 4 {
				return 0
			}
			return 4 + int(binary.BigEndian.Uint32(buf))
		}
		requests := func(buf []byte) int {
			length := frame(buf)
			if 0 < length && length <= len(buf) {
				message()
			}
			return length
		}
		// The first answer is protocol, timeout, session, password.
		const session, password = 4 + 4 + 4, 4 + 4 + 4 + 8 + 4
		greeted := false
		answers := func(buf []byte) int {
			length := frame(buf)
			if !greeted && 0 < length && length <= len(buf) {
				greeted = true
				if length >= password+16 && n != nil {
					n.mu.Lock()
					n.passwords[strconv.FormatUint(
						binary.BigEndian.Uint64(buf[session:]), 16,
					)] = append([]byte(nil), buf[password:password+16]...)
					n.mu.Unlock()
				}
			}
			return length
		}
		return &frames{next: requests}, &frames{next: answers}
	}
}

// expireZooKeeper closes a session on a connection of its own, for which it
// needs the session's password. The server then ends the connection that the
// session has had, and ours if that one comes back before we are done; so it
// repeats until the session is gone.
func expireZooKeeper(t testing.TB, n *space, id string) {
	t.Helper()
	n.mu.Lock()
	password := n.passwords[id]
	n.mu.Unlock()
	number, err := strconv.ParseUint(id, 16, 64)
	if err != nil || password == nil {
		t.Fatalf("session %q: no password of it has been seen: %v", id, err)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		over, err := closeSession(n.servers[0].Addr(), number, password)
		if over {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("session %s can't be closed from outside: %v", id, err)
		}
	}
}

// closeSession ends a session, and reports whether it was over before.
func closeSession(addr string, session uint64, password []byte) (over bool, err error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	order := binary.BigEndian
	hello := make([]byte, 4, 64)
	hello = order.AppendUint32(hello, 0)    // protocol
	hello = order.AppendUint64(hello, 0)    // last zxid seen
	hello = order.AppendUint32(hello, 2000) // timeout
	hello = order.AppendUint64(hello, session)
	hello = append(order.AppendUint32(hello, uint32(len(password))), password...)
	order.PutUint32(hello, uint32(len(hello)-4))
	if _, err := conn.Write(hello); err != nil {
		return false, err
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return false, err
	}
	answer = make([]byte, order.Uint32(answer))
	if _, err := io.ReadFull(conn, answer); err != nil || len(answer) < 16 {
		return false, errors.Join(err, errors.New("a short greeting"))
	}
	if order.Uint64(answer[8:]) == 0 {
		return true, nil
	}
	const xid, opClose = 1, -11
	bye := order.AppendUint32(nil, 8)
	bye = order.AppendUint32(bye, xid)
	closing := int32(opClose)
	bye = order.AppendUint32(bye, uint32(closing))
	if _, err := conn.Write(bye); err != nil {
		return false, err
	}
	_, err = io.ReadAll(conn) // until the server closes the connection
	return false, err
}

// guardZooKeeper starts a server on which each user makes nodes for itself
// alone. No user can only read, because the driver grants nothing to other
// users.
func guardZooKeeper(t testing.TB) func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
	t.Helper()
	z := testservers.StartZooKeeper(t)
	return func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
		user, password := "owner", "s3cret-of-"+ns
		switch who {
		case conformance.Impostor:
			password = "wr0ng-of-" + ns
		case conformance.Nobody:
			user = "stranger"
		case conformance.Reader:
			return "", nil
		}
		return fmt.Sprintf("zookeeper://%s:%s@%s/%s", user, password, z.Addr(), ns), []string{password}
	}
}
