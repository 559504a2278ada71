package testharness

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWire_CountsMessagesInAnyPieces(t *testing.T) {
	var http1 strings.Builder
	for _, body := range []string{"", "0123456789", "x"} {
		r, _ := http.NewRequest("PUT", "http://host/v1/txn", strings.NewReader(body))
		r.Write(&http1)
	}
	frame := func(kind byte, payload string) string {
		return string([]byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, 1}) + payload
	}
	grpc := strings.Repeat("p", 24) + frame(4, "") + frame(1, "headers") + frame(0, "message") +
		frame(8, "1234") + frame(0, "another") + frame(0, "")
	zk := func(words ...string) string {
		var b strings.Builder
		for _, w := range words {
			b.WriteString(string([]byte{0, 0, 0, byte(len(w))}) + w)
		}
		return b.String()
	}
	for name, row := range map[string]struct {
		tap    tap
		stream string
		want   int
	}{
		"HTTP":      {ofHTTP, http1.String(), 3},
		"gRPC":      {ofGRPC, grpc, 2},
		"ZooKeeper": {ofZooKeeper(nil), zk("hello", "request", "more"), 3},
	} {
		for piece := 1; piece < len(row.stream); piece += 3 {
			n := 0
			up, _ := row.tap(func() { n++ })
			io.CopyBuffer(
				struct{ io.Writer }{up}, struct{ io.Reader }{strings.NewReader(row.stream)}, make([]byte, piece),
			)
			if n != row.want {
				t.Errorf("%s in pieces of %d bytes: counted %d messages, want %d", name, piece, n, row.want)
			}
		}
	}
}
