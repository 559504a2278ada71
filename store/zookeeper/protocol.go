package zookeeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-zookeeper/zk"
)

// What of ZooKeeper's protocol is spoken here and not by the client library:
// what it lacks, and reads, of which it can have neither many on their way at
// once nor one that is given up. Numbers are big-endian, texts have their
// length before them; a frame is its length, then a request (xid, operation,
// body) or a reply (xid, zxid, error, body).
const (
	opExists          = 3
	opGetData         = 4
	opGetChildren     = 8
	opSync            = 9
	opPing            = 11
	opCheck           = 13
	opMulti           = 14
	opRemoveWatches   = 18
	opCreateContainer = 19
	opAuth            = 100
	opAddWatch        = 106
	opClose           = -11

	xidEvent = -1
	xidPing  = -2
	xidAuth  = -4

	recursiveMode = 1 // of opAddWatch: persistent, and for everything below
	anyWatcher    = 3 // of opRemoveWatches
	containerFlag = 4 // of opCreateContainer

	headerSize = 20 // of a reply with its length
)

// errOldServer is how a server answers an operation that it does not know.
var errOldServer = errors.New("the server does not know this operation; ZooKeeper 3.6 or later is needed, or 3.5 with ?watch=classic in the URL")

// errorOf returns the client library's error for a code of the server.
func errorOf(code int32) error {
	switch code {
	case 0:
		return nil
	case -6:
		return errOldServer
	case -101:
		return zk.ErrNoNode
	case -102:
		return zk.ErrNoAuth
	case -108:
		return zk.ErrNoChildrenForEphemerals
	case -110:
		return zk.ErrNodeExists
	case -112:
		return zk.ErrSessionExpired
	case -114:
		return zk.ErrInvalidACL
	case -115:
		return zk.ErrAuthFailed
	case errDemandsAuth.code:
		return errDemandsAuth
	case -118:
		return zk.ErrSessionMoved
	}
	return serverError{code}
}

// errSpeaksTLS is the reason of answers in TLS.
var errSpeaksTLS = errors.New("the server speaks TLS at this port; add tls=true, or ca=FILE, to the URL")

// errNoServer is the reason of answers that no ZooKeeper server gives.
var errNoServer = errors.New("this is no ZooKeeper server")

// packet is a frame under construction.
type packet struct{ b []byte }

func request(xid, op int32) *packet { return (&packet{make([]byte, 4, 64)}).int(xid).int(op) }

func (p *packet) int(n int32) *packet {
	p.b = binary.BigEndian.AppendUint32(p.b, uint32(n))
	return p
}

func (p *packet) long(n int64) *packet {
	p.b = binary.BigEndian.AppendUint64(p.b, uint64(n))
	return p
}

func (p *packet) bool(yes bool) *packet {
	n := byte(0)
	if yes {
		n = 1
	}
	p.b = append(p.b, n)
	return p
}

func (p *packet) text(s string) *packet {
	p.int(int32(len(s)))
	p.b = append(p.b, s...)
	return p
}

func (p *packet) frame() []byte {
	binary.BigEndian.PutUint32(p.b, uint32(len(p.b)-4))
	return p.b
}

// body is the unread rest of a reply. After an error everything that it
// returns is zero.
type body struct {
	b     []byte
	short bool
}

func (p *body) take(n int) []byte {
	if n < 0 || n > len(p.b) {
		p.short, p.b = true, nil
		return nil
	}
	taken := p.b[:n:n]
	p.b = p.b[n:]
	return taken
}

func (p *body) int() int32 {
	if b := p.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (p *body) long() int64 {
	if b := p.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// bytes returns a buffer, nil for none.
func (p *body) bytes() []byte {
	n := p.int()
	if n < 0 || p.short {
		return nil
	}
	return p.take(int(n))
}

func (p *body) texts() []string {
	n := p.int()
	if n < 0 || p.short {
		return nil
	}
	if int(n) > len(p.b)/4 {
		p.short, p.b = true, nil
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = string(p.bytes())
	}
	return all
}

// stat reads what of a node's state is of interest.
func (p *body) stat() (s stat) {
	s.created = p.long()
	p.take(3 * 8) // mzxid, ctime, mtime
	s.version = p.int()
	p.take(2 * 4) // cversion, aversion
	s.owner = p.long()
	p.take(2*4 + 8) // length of the data, number of children, pzxid
	return s
}

// readFrame reads a frame with its length, of an answer that may be a
// handshake's.
func readFrame(r io.Reader) ([]byte, error) {
	const most = 1 << 28 // the list of the children of one node may be long
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	const alert, tls = 0x15, 3 // a record of TLS begins with its type and the version
	if length[0] == alert && length[1] == tls {
		return nil, errSpeaksTLS
	}
	if n < headerSize-4 || n > most {
		return nil, fmt.Errorf("an answer that begins with %q: %w", length, errNoServer)
	}
	frame := make([]byte, 4+n)
	copy(frame, length[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// greeting is a server's answer to the handshake.
type greeting struct {
	session  int64
	password string
	ttl      time.Duration
}

func parseGreeting(frame []byte) (greeting, error) {
	p := body{b: frame[8:]} // without the length and the protocol
	g := greeting{ttl: time.Duration(p.int()) * time.Millisecond, session: p.long(), password: string(p.bytes())}
	if p.short {
		return greeting{}, fmt.Errorf("an answer that is too short: %w", errNoServer)
	}
	return g, nil
}

// shake does a handshake by itself, for a new session or, with its password, an
// old one. Then it ends that session, which shows whether the server answers a
// client that has authenticated as auth says (user:password, empty for none).
func shake(conn net.Conn, auth string, session int64, password string, ttl time.Duration) (greeting, error) {
	if password == "" {
		password = string(make([]byte, 16))
	}
	hello := (&packet{make([]byte, 4, 64)}).int(0).long(0).int(int32(ttl.Milliseconds())).long(session).text(password)
	if _, err := conn.Write(hello.frame()); err != nil {
		return greeting{}, err
	}
	frame, err := readFrame(conn)
	if err != nil {
		return greeting{}, err
	}
	g, err := parseGreeting(frame)
	if err != nil || g.session == 0 {
		return g, err
	}
	if auth != "" {
		if err := answer(conn, authenticating(auth)); err != nil {
			return g, err
		}
	}
	err = answer(conn, request(1, opClose))
	if errors.Is(err, io.EOF) { // the server may close the connection first
		err = nil
	}
	return g, err
}

func authenticating(auth string) *packet {
	return request(xidAuth, opAuth).int(0).text("digest").text(auth)
}

// answer sends a request and returns the error in the answer.
func answer(conn net.Conn, request *packet) error {
	if _, err := conn.Write(request.frame()); err != nil {
		return err
	}
	frame, err := readFrame(conn)
	if err != nil {
		return err
	}
	return errorOf(codeOf(frame))
}

// codeOf returns the error code of a reply.
func codeOf(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame[headerSize-4:])) }
