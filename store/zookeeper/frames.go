package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/progress"
	"github.com/go-zookeeper/zk"
)

// Our own requests have numbers that the client library would come to after
// more than a thousand million of its own.
const firstXid = 0x70000000

// atOnce is how many requests of one caller are on their way at the same time.
// More would be no faster, and keep pings and commits waiting.
const atOnce = 64

// wire is one TCP connection to a server, below the client library, which reads
// and writes whole frames through it. It adds what the library lacks: requests
// of our own among the library's, the times of renewals, and an end to waiting.
type wire struct {
	net.Conn
	link    *link
	addr    string // host:port of the URL
	dialled time.Time
	closed  chan struct{}
	hungUp  atomic.Bool // the other end has ended the connection
	once    sync.Once

	writing sync.Mutex
	reading []byte // what the library has not taken yet of the frame that came last
	greeted bool   // the first frame, the answer to the handshake, has come; only Read uses it

	mu       sync.Mutex
	xid      int32
	waiting  map[int32]question     // our own requests that are not answered
	farewell int32                  // the number of the library's last request, which ends the session
	pinged   time.Time              // when the last ping was sent
	pings    []time.Time            // when those were sent that are not answered
	askers   map[chan struct{}]bool // told that a part of an answer has come
	asked    map[int32]time.Time    // when the library's requests were sent that are not answered
	answered []time.Time            // when pings and requests were sent that are answered, as far as extend needs them
	heard    time.Time              // when the last frame came
	proof    time.Time              // when a leader was last behind an answer
	shown    string                 // the user and the password that the server was told
}

// question is a request of ours. The reply goes to the channel, which must have
// room for it; nil discards it.
type question struct {
	to     chan<- reply
	index  int
	leader bool // has its part in the answer
}

type reply struct {
	index int
	err   error
	body  []byte
}

// ask is a request of ours under construction.
type ask struct {
	op   int32
	body func(*packet)
}

func newWire(conn net.Conn, l *link, addr string) *wire {
	now := time.Now()
	return &wire{
		Conn:    conn,
		link:    l,
		addr:    addr,
		dialled: now,
		heard:   now,
		pinged:  now,
		proof:   now,
		closed:  make(chan struct{}),
		xid:     firstXid,
		waiting: map[int32]question{},
		asked:   map[int32]time.Time{},
		askers:  map[chan struct{}]bool{},
	}
}

// leave closes a connection whose server does not serve. The next one is to
// another of the host's addresses, if it has several.
func (w *wire) leave() {
	w.link.hosts.dialer.Avoid(w.addr)
	w.Close()
}

// Close ends the connection; the client library then makes another.
func (w *wire) Close() error {
	w.once.Do(func() {
		close(w.closed)
		w.Conn.Close()
		w.link.disconnected(w)
	})
	return nil
}

// The library's deadlines are those of a session's TTL, and ten times that for
// the handshake; ours are shorter.

func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Write sends a frame of the client library, but no ping: it would send them
// only as often as another session needs.
func (w *wire) Write(frame []byte) (int, error) {
	if len(frame) >= 12 { // the handshake looks like neither: it begins with a zero
		switch xid, op := int32(binary.BigEndian.Uint32(frame[4:])), int32(binary.BigEndian.Uint32(frame[8:])); {
		case xid == xidPing:
			return len(frame), nil
		case op == opClose:
			w.mu.Lock()
			w.farewell = xid
			w.mu.Unlock()
		case xid > 0:
			w.mu.Lock()
			w.asked[xid] = time.Now()
			w.mu.Unlock()
		}
	}
	return w.send(frame)
}

func (w *wire) send(frames []byte) (int, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.Conn.SetWriteDeadline(time.Now().Add(w.link.silence()))
	n, err := w.Conn.Write(frames)
	if err != nil {
		w.ended(err)
		w.Close() // half a frame may be out
	}
	return n, err
}

// ended takes note of the end of the connection.
func (w *wire) ended(err error) {
	if !errors.Is(err, net.ErrClosed) {
		w.hungUp.Store(true)
	}
	w.refused(err)
}

// refused says what is wrong with a server that has ended the connection before
// it has answered the handshake. One that has as many as it may have does, and
// what comes first, the end of the answer or the refusal of the question, is
// chance.
func (w *wire) refused(err error) {
	if !w.greeted {
		w.link.hosts.dialer.Avoid(w.addr)
		w.link.failed(w.RemoteAddr().String(), fmt.Errorf("no answer to the handshake: %w", err))
	}
}

// Read gives the client library its frames and keeps ours.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.reading) == 0 {
		frame, err := w.frame()
		if err != nil {
			w.ended(err)
			w.Close()
			return 0, err
		}
		if !w.greeted {
			w.greeted = true
			if err := w.greet(frame); err != nil {
				w.Close()
				return 0, err
			}
			w.reading = frame
		} else if !w.ours(frame) {
			w.reading = frame
		}
	}
	n := copy(p, w.reading)
	w.reading = w.reading[n:]
	return n, nil
}

// frame reads a frame. Before the handshake is answered, it waits no longer
// than for any other answer.
func (w *wire) frame() ([]byte, error) {
	if !w.greeted {
		w.Conn.SetReadDeadline(time.Now().Add(w.link.silence()))
		defer w.Conn.SetReadDeadline(time.Time{})
	}
	return readFrame(arriving{w})
}

// arriving is the reader of a wire that tells those who wait for an answer that
// a part of one has come. A part of a frame is enough: answers come in the
// order of the requests, and that to one for the names in a directory may be
// long.
type arriving struct{ *wire }

func (a arriving) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if n > headerSize { // more than the answer to a ping, which says nothing of other answers
		a.mu.Lock()
		for moved := range a.askers {
			select {
			case moved <- struct{}{}:
			default:
			}
		}
		a.mu.Unlock()
	}
	return n, err
}

// greet deals with the answer to the handshake: the session, its password and
// its TTL, or that there is no such session.
func (w *wire) greet(frame []byte) error {
	g, err := parseGreeting(frame)
	if err != nil {
		return err
	}
	if g.session == 0 {
		w.link.end(zk.ErrSessionExpired)
		return nil
	}
	if !w.link.isItself(g.session) {
		// Some servers that speak this protocol give a client whose session has
		// expired another one without a word. The library must not hear of it:
		// it would execute there what it had queued before.
		w.link.end(zk.ErrSessionExpired)
		return zk.ErrSessionExpired
	}
	w.mu.Lock()
	w.heard = time.Now()
	w.answered = []time.Time{w.dialled}
	w.mu.Unlock()
	// Before anything else, so that whatever is asked is asked with it.
	if err := w.authenticate(); err != nil {
		return err
	}
	w.link.connected(w, g)
	return nil
}

// authenticate shows the user and the password to the server, if they are
// others than those that were shown on this connection. The server then knows
// the connection by both.
func (w *wire) authenticate() error {
	if w.link.hosts.auth == nil {
		return nil
	}
	auth := w.link.hosts.auth()
	w.mu.Lock()
	same := w.shown == auth
	w.shown = auth
	w.mu.Unlock()
	if same {
		return nil
	}
	_, err := w.send(authenticating(auth).frame())
	return err
}

// ours takes note of a frame and reports whether it is none of the client
// library's business.
func (w *wire) ours(frame []byte) bool {
	xid, code := int32(binary.BigEndian.Uint32(frame[4:])), codeOf(frame)
	w.mu.Lock()
	w.heard = time.Now()
	q, own := w.waiting[xid]
	delete(w.waiting, xid)
	var renewed time.Time
	if xid == xidPing && len(w.pings) > 0 {
		renewed = w.extend(w.pings[0])
		w.pings = w.pings[1:]
	}
	if sent, ok := w.asked[xid]; ok { // whatever is asked renews the session as a ping does
		delete(w.asked, xid)
		renewed = w.extend(sent)
	}
	if q.leader {
		w.proof = w.heard
	}
	farewell := w.farewell != 0 && xid == w.farewell
	w.mu.Unlock()
	if !renewed.IsZero() {
		w.link.renewed(renewed)
	}
	if farewell {
		w.link.end(errLeft)
	}
	if errorOf(code) == zk.ErrNoAuth {
		go w.authenticate() // the password may have changed
	}
	switch {
	case q.to != nil:
		q.to <- reply{q.index, errorOf(code), frame[headerSize:]}
	case xid == xidAuth:
		w.link.authenticated(errorOf(code))
	case xid == xidEvent:
		p := body{b: frame[headerSize:]}
		p.take(2 * 4) // the type, and the state of the connection
		if path := string(p.bytes()); path != "" {
			w.link.onEvent(path)
		}
	}
	return own || xid == xidPing || xid == xidEvent || xid == xidAuth
}

// lastProof is when it was last seen that the server has a leader.
func (w *wire) lastProof() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proof
}

// extend returns the time from which the session surely lives for its TTL, now
// that what was sent at a time is answered.
//
// It is not that time. A server answers pings by itself and tells the leader,
// which counts the TTL, only when that asks next, every half tick; if the
// server dies before, the leader never hears of them. So it is the last ping
// that is older than the answered one by a quarter of the TTL, which is at
// least half a tick. The handshake is different: the leader has its part in it.
func (w *wire) extend(sent time.Time) time.Time {
	const grain = 20 // parts of the TTL: many answers in a short time are as good as one
	if last := w.answered[len(w.answered)-1]; len(w.answered) == 1 || sent.Sub(last) >= w.link.ttl()/grain {
		w.answered = append(w.answered, sent)
	}
	sure := sent.Add(-w.link.ttl() / relay)
	n := 0
	for n+1 < len(w.answered) && !w.answered[n+1].After(sure) {
		n++
	}
	w.answered = w.answered[n:]
	return w.answered[0]
}

// look sends a ping if one is due, and closes a connection that has owed us an
// answer for too long. It returns when to look again.
func (w *wire) look(now time.Time) time.Duration {
	w.mu.Lock()
	due := w.pinged
	if w.link.idly && w.heard.After(due) {
		due = w.heard
	}
	due = due.Add(w.link.rhythm())
	ping := !now.Before(due)
	if ping {
		w.pings, w.pinged = append(w.pings, now), now
		due = now.Add(w.link.rhythm())
	}
	next := due
	overdue := false
	if len(w.pings) > 0 {
		end := w.pings[0]
		if w.heard.After(end) {
			end = w.heard
		}
		end = end.Add(w.link.silence())
		if overdue = !now.Before(end); end.Before(next) {
			next = end
		}
	}
	w.mu.Unlock()
	switch {
	case overdue:
		w.leave()
	case ping:
		w.send(request(xidPing, opPing).frame())
	}
	return next.Sub(now)
}

// begin sends requests of ours in one piece. The replies, numbered from first
// on, go to the channel, which must have room for them, or are discarded.
func (w *wire) begin(asks []ask, first int, to chan<- reply) error {
	w.mu.Lock()
	xids := make([]int32, len(asks))
	for i := range asks {
		w.xid++
		xids[i] = w.xid
		w.waiting[w.xid] = question{to, first + i, asks[i].op == opSync || asks[i].op == opMulti}
	}
	w.mu.Unlock()
	var frames []byte
	for i, a := range asks {
		p := request(xids[i], a.op)
		a.body(p)
		frames = append(frames, p.frame()...)
	}
	_, err := w.send(frames)
	return err
}

var errBroken = errors.New("the connection broke")

// ask sends requests and returns their replies; atOnce of them are on their way
// at the same time. An error means that not all were answered. The server deals
// with requests in the order in which they were sent.
func (w *wire) ask(ctx context.Context, asks ...ask) ([]reply, error) {
	all := make([]reply, len(asks))
	replies := make(chan reply, atOnce)
	moved := make(chan struct{}, 1)
	w.mu.Lock()
	w.askers[moved] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.askers, moved)
		w.mu.Unlock()
	}()
	var sent time.Time
	for answered, begun := 0, 0; answered < len(asks); answered++ {
		if on := begun - answered; on <= atOnce/2 && begun < len(asks) {
			n := min(atOnce-on, len(asks)-begun)
			sent = time.Now()
			if err := w.begin(asks[begun:begun+n], begun, replies); err != nil {
				return nil, errBroken
			}
			begun += n
		}
		select {
		case r := <-replies:
			if errors.Is(r.err, errDemandsAuth) { // nothing else is answered
				return nil, r.err
			}
			all[r.index] = r
			progress.Made(ctx)
			continue
		case <-moved:
			progress.Made(ctx)
			answered--
			continue
		case <-w.closed:
		case <-ctx.Done():
			w.doubt(ctx, sent)
			return nil, late(ctx, errNoAnswer)
		}
		select {
		case r := <-replies: // the last that came: a server may answer and hang up
			all[r.index] = r
		default:
			return nil, errBroken
		}
	}
	return all, nil
}

// doubt closes the connection if a deadline has come without a sign of life for
// longer than a server takes.
func (w *wire) doubt(ctx context.Context, sent time.Time) {
	w.mu.Lock()
	silent := w.heard.Before(sent) && time.Since(sent) >= w.link.silence()
	w.mu.Unlock()
	if silent && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.leave()
	}
}

// askOne is ask for one request, without the reply's body.
func (w *wire) askOne(ctx context.Context, a ask) error {
	replies, err := w.ask(ctx, a)
	if err != nil {
		return err
	}
	return replies[0].err
}
