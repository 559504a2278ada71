package zookeeper

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// What comes from a port that somebody took for ZooKeeper's can be anything.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte{0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 7, 208, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0})
	f.Add([]byte{0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 && binary.BigEndian.Uint32(b) > 1<<20 {
			return // room is made for what a length promises: that is not what this is about
		}
		frame, err := readFrame(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, frame) {
			t.Fatalf("the frame %x of %x", frame, b)
		}
		_, _ = parseGreeting(frame)
		for _, read := range []func(p *body){
			func(p *body) { p.stat() },
			func(p *body) { p.texts() },
			func(p *body) { p.bytes(); p.stat() },
		} {
			p := &body{b: frame[headerSize:]}
			if read(p); p.short && len(p.b) > 0 {
				t.Errorf("%x is too short, and %x is left", frame, p.b)
			}
		}
	})
}
