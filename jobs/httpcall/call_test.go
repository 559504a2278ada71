package httpcall_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
)

var shard = elastic.Run{
	Job: "report", Shard: 2, Shards: 5, Parameter: "eu west/1&x=ü", JobParameter: "all",
	Fire: time.Date(2026, 1, 2, 3, 0, 0, 0, time.FixedZone("", 3600)), Attempt: 2,
}

// server answers with h. It returns a function for the last request: method,
// URI, headers, body.
func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func handler(t *testing.T, r httpcall.Request) elastic.Handler {
	t.Helper()
	if r.Allow == nil {
		r.Allow = httpcall.Loopback()
	}
	h, err := httpcall.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// New reports each fault of a request.
func TestNew_ReportsAllFaults(t *testing.T) {
	const ok = "http://reports.example.com/"
	json := map[string]string{"Content-Type": "application/json"}
	for _, tt := range []struct {
		r    httpcall.Request
		want []string
	}{
		{httpcall.Request{}, []string{"URL: must begin with http:// or https://"}},
		{httpcall.Request{URL: "ftp://a/b"}, []string{"URL: must begin with"}},
		{
			httpcall.Request{URL: ok + "{shrad}"},
			[]string{"URL: there is no field {shrad}; the fields are {job}, {shard}"},
		},
		{httpcall.Request{URL: ok + "?a={b}"}, []string{"there is no field {b}"}},
		{httpcall.Request{URL: "http://{parameter}/"}, []string{"host", "must be fixed"}},
		{httpcall.Request{URL: "http://a.{parameter}?x"}, []string{"host", "must be fixed"}},
		{httpcall.Request{URL: "http:///path"}, []string{"has no host"}},
		{httpcall.Request{URL: "http://a:b:c/path"}, []string{"URL: "}},
		{httpcall.Request{URL: ok + "#top"}, []string{"fragment"}},
		{httpcall.Request{URL: "http://user:pass@a/"}, []string{"must not have a user"}},
		{httpcall.Request{URL: ok + "a/../b"}, []string{"URL: its path would have"}},
		{httpcall.Request{URL: ok + "%zz?token=secret"}, []string{"URL: "}},
		{httpcall.Request{URL: ok, Method: "get"}, []string{"method: must be one of GET, HEAD, POST", `is "get"`}},
		{httpcall.Request{URL: ok, Body: "a"}, []string{"body: GET has none"}},
		{httpcall.Request{URL: ok, Method: "POST", Body: "a"}, []string{"body: must have a header Content-Type"}},
		{httpcall.Request{
			URL:     ok,
			Method:  "POST",
			Body:    "a",
			Headers: map[string]string{"Content-Type": ";"},
		}, []string{"body: content type"}},
		{httpcall.Request{
			URL:     ok,
			Method:  "POST",
			Body:    `{"a":"{b}"}`,
			Headers: json,
		}, []string{"body: there is no field {b}"}},
		{httpcall.Request{
			URL:     ok,
			Method:  "POST",
			Body:    `{"a":{parameter}}`,
			Headers: json,
		}, []string{"body: is not JSON", "put fields that are not numbers in quotes"}},
		{httpcall.Request{
			URL:     ok,
			Method:  "POST",
			Body:    `{shard}`,
			Headers: map[string]string{"Content-Type": "image/png"},
		}, []string{"body: cannot escape fields in image/png"}},
		{httpcall.Request{
			URL:     ok,
			Headers: map[string]string{"host": "b"},
		}, []string{`headers: "host": it follows from the request`}},
		{httpcall.Request{URL: ok, Headers: map[string]string{"a b": "c"}}, []string{`headers: "a b": `}},
		{httpcall.Request{URL: ok, Headers: map[string]string{"A": "c\nd"}}, []string{`headers: "A": `}},
		{httpcall.Request{URL: ok, Headers: map[string]string{"A": "1", "a": "2"}}, []string{"set twice"}},
		{httpcall.Request{URL: ok, Allow: []netip.Prefix{{}}}, []string{"allow: prefix 0"}},
		{
			httpcall.Request{
				Method:         "X",
				URL:            "x",
				Timeout:        -1,
				ConnectTimeout: -1,
				MaxResponse:    -1,
			},
			[]string{
				"method: ", "URL: ", "timeout: must not be negative, is -1ns", "connect timeout: must",
				"max response: must not be negative, is -1",
			},
		},
	} {
		_, err := httpcall.New(tt.r)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	}
}

// Statuses below 200 or above 299 fail the run.
func TestCall_StatusDecides(t *testing.T) {
	status := 0
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	h := handler(t, httpcall.Request{URL: s.URL + "/run/{shard}?token=secret"})
	for _, status = range []int{200, 202, 204, 299, 304, 400, 404, 500, 503} {
		err := h.Handle(t.Context(), shard)
		if ok := status < 300; ok != (err == nil) {
			t.Errorf("%d: got %v", status, err)
		}
		if err != nil && err.Error() != fmt.Sprintf("GET %s/run/2?token=***: the answer is %d %s",
			s.URL, status, http.StatusText(status)) {
			t.Errorf("got %q", err)
		}
	}
}

// If Success is set, its result is the result of the run.
func TestCall_SuccessDecides(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Left", "3")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "0123456789")
	})
	unfinished := errors.New("unfinished")
	for limit, want := range map[int]string{10: "0123456789 false", 9: "012345678 true", 0: "0123456789 false"} {
		h := handler(t, httpcall.Request{URL: s.URL, MaxResponse: limit, Success: func(r httpcall.Response) error {
			if got := fmt.Sprintf("%s %v", r.Body, r.Truncated); got != want || r.Status != http.StatusTeapot || r.Header.Get("X-Left") != "3" {
				t.Errorf("got %s, %+v", got, r)
			}
			return unfinished
		}})
		if err := h.Handle(t.Context(), shard); !errors.Is(err, unfinished) {
			t.Errorf("got %v", err)
		}
	}
}

// A call ends with Timeout, or with its context, whichever is first.
func TestCall_EndsInTime(t *testing.T) {
	release := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/trickle" {
			fmt.Fprint(w, "a")
			w.(http.Flusher).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	for _, path := range []string{"/silent", "/trickle"} {
		h := handler(t, httpcall.Request{URL: s.URL + path, Timeout: 30 * time.Millisecond})
		if err := h.Handle(t.Context(), shard); err == nil || !strings.HasSuffix(err.Error(), path+": no answer within 30ms") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, elastic.ErrTimeout)
		if err := handler(t, httpcall.Request{URL: s.URL + path}).Handle(ctx, shard); !errors.Is(err, elastic.ErrTimeout) {
			t.Errorf("got %v, want the cause", err)
		}
		if err := handler(t, httpcall.Request{URL: s.URL + path}).Handle(ctx, shard); !errors.Is(err, elastic.ErrTimeout) {
			t.Errorf("got %v, want the cause without a call", err)
		}
		cancel()
	}
}

// A redirect to another host fails the run, and the other host is not called.
func TestCall_RedirectsStayOnTheHost(t *testing.T) {
	var stolen []string
	elsewhere := server(t, func(_ http.ResponseWriter, r *http.Request) { stolen = append(stolen, r.Header.Get("Authorization")) })
	var ended string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/home":
			http.Redirect(w, r, "/end?a=1", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/?secret=1", http.StatusPermanentRedirect)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusTemporaryRedirect)
		default:
			ended = r.RequestURI
		}
	})
	call := func(path string) error {
		return handler(t, httpcall.Request{
			URL:     s.URL + path,
			Headers: map[string]string{"Authorization": "Bearer token"},
		}).Handle(t.Context(), shard)
	}
	if err := call("/home"); err != nil || ended != "/end?a=1" {
		t.Errorf("got %v, ended at %s", err, ended)
	}
	if err := call("/away"); err == nil || !strings.HasSuffix(err.Error(), elsewhere.URL+", which is another host; call that one") || stolen != nil {
		t.Errorf("got %v, and another host was called with %q", err, stolen)
	}
	if err := call("/round"); err == nil || !strings.Contains(err.Error(), "tenth time") {
		t.Errorf("got %v", err)
	}
}

// Addresses that are not public are called only if Allow contains them,
// whatever name leads there.
func TestCall_NeedsAllowForPrivateAddresses(t *testing.T) {
	calls := 0
	s := server(t, func(http.ResponseWriter, *http.Request) { calls++ })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, tt := range []struct {
		host  string
		allow []netip.Prefix
		want  string
	}{
		{"127.0.0.1", []netip.Prefix{}, "127.0.0.1 is not a public address"},
		// The name looks harmless, but its address is checked.
		{"localhost", []netip.Prefix{}, "is not a public address"},
		{"[::ffff:127.0.0.1]", []netip.Prefix{}, "127.0.0.1 is not a public address"},
		{"0x7f.1", []netip.Prefix{}, ""},
		{"169.254.169.254", httpcall.Private(), "169.254.169.254 is not a public address"},
		{"10.0.0.1", httpcall.Loopback(), "10.0.0.1 is not a public address"},
	} {
		err := handler(t, httpcall.Request{
			URL:     "http://" + tt.host + ":" + port,
			Allow:   tt.allow,
			Timeout: 5 * time.Second,
		}).Handle(t.Context(), shard)
		if err == nil || !strings.Contains(err.Error(), tt.want) || calls != 0 {
			t.Errorf("%s: got %v and %d calls, want %q", tt.host, err, calls, tt.want)
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		if err := handler(t, httpcall.Request{URL: "http://" + host + ":" + port}).Handle(t.Context(), shard); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// The proxies of the environment are not used.
func TestCall_UsesNoProxy(t *testing.T) {
	asked := false
	proxy := server(t, func(http.ResponseWriter, *http.Request) { asked = true })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	_ = handler(t, httpcall.Request{URL: "http://192.0.2.1/"}).Handle(t.Context(), shard)
	if asked {
		t.Error("a proxy was asked, which could call addresses inside")
	}
}

// raw answers each connection with the text that f returns for the request.
func raw(t *testing.T, f func(request string) string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			in, text := bufio.NewReader(c), ""
			for !strings.HasSuffix(text, "\r\n\r\n") {
				line, err := in.ReadString('\n')
				if err != nil {
					break
				}
				text += line
			}
			io.WriteString(c, f(text))
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// No error has a secret of the request.
func TestCall_ErrorsHaveNoSecrets(t *testing.T) {
	const token, query = "s3cr3t-t0ken", "qu3ry-s3cr3t"
	r := httpcall.Request{Headers: map[string]string{"Authorization": "Bearer " + token, "X-Key": token + "-2"}}
	for name, url := range map[string]string{
		"no server": "http://127.0.0.1:1",
		"not found": server(t, http.NotFound).URL,
		"an echo":   raw(t, func(s string) string { return s }),
		"an echo of the header": raw(t, func(s string) string {
			_, after, _ := strings.Cut(s, "Authorization: ")
			return after
		}),
		"a bad redirect": raw(t, func(string) string {
			return "HTTP/1.1 302 Found\r\nLocation: http://[" + token + "?" + query + "\r\nContent-Length: 0\r\n\r\n"
		}),
		"a redirect elsewhere": raw(t, func(string) string {
			return "HTTP/1.1 302 Found\r\nLocation: http://" + token + ".example/?" + query + "\r\nContent-Length: 0\r\n\r\n"
		}),
		"a bad header": raw(t, func(s string) string { return "HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n" }),
	} {
		r.URL = url + "/?token=" + query
		err := handler(t, r).Handle(t.Context(), shard)
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), query) {
			t.Errorf("%s: got %v", name, err)
		}
		t.Log(name, err)
	}
	for _, bad := range []httpcall.Request{
		{URL: "http://a/", Headers: map[string]string{"Authorization": "{" + "secret" + "}"}},
		{URL: "http://a/", Headers: map[string]string{"Authorization": "secret\n"}},
		{URL: "http://user:secret@a/"},
		{URL: "http://a/%zz?secret"},
		{URL: "a.example/?secret"},
	} {
		if _, err := httpcall.New(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	}
}

// Header adds headers to each call. It replaces none, and what a request can't
// have is left out.
func TestCall_AddsHeaders(t *testing.T) {
	var got http.Header
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	type key struct{}
	h := handler(t, httpcall.Request{
		URL:     s.URL,
		Headers: map[string]string{"X-Own": "own"},
		Header: func(ctx context.Context) http.Header {
			return http.Header{
				"Traceparent": {ctx.Value(key{}).(string)},
				"x-own":       {"other"},
				"Bad Name":    {"x"},
				"X-Bad":       {"a\r\nX-Injected: b"},
				"Host":        {"elsewhere"},
				"User-Agent":  {"other"},
			}
		},
	})
	if err := h.Handle(context.WithValue(t.Context(), key{}, "00-1"), shard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Traceparent": "00-1",
		"X-Own":       "own",
		"X-Bad":       "",
		"X-Injected":  "",
		"User-Agent":  "elastic",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
}
