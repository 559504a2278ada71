package prom

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A client that does not read is cut off, and the handler returns.
func TestCut_EndsSlowReader(t *testing.T) {
	ended := make(chan error)
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 1<<20)
		for {
			if _, err := w.Write(part); err != nil {
				ended <- err
				return
			}
		}
	})
	server := httptest.NewServer(cut(endless, 100*time.Millisecond))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the handler still writes to a client that does not read")
	}
}
