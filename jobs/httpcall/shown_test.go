package httpcall_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
)

// A server that closes a kept connection when the next request arrives fails no
// run.
func TestCall_KeepsNoConnection(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Proto != proto {
				t.Errorf("got %s, want %s", r.Proto, proto)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Context().Value(requests{}).(*atomic.Int64).Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
		}))
		s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, requests{}, new(atomic.Int64))
		}
		s.EnableHTTP2 = proto == "HTTP/2.0"
		s.StartTLS()
		t.Cleanup(s.Close)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			r := httpcall.Request{
				Method: method,
				URL:    s.URL,
				TLS:    s.Client().Transport.(*http.Transport).TLSClientConfig,
			}
			if method[0] == 'P' {
				r.Headers, r.Body = map[string]string{"Content-Type": "application/json"}, `{"shard": {shard}}`
			}
			h := handler(t, r)
			for range 3 {
				if err := h.Handle(t.Context(), shard); err != nil {
					t.Errorf("%s %s: %v", proto, method, err)
				}
			}
		}
	}
}

// requests is the context key of a connection's number of requests.
type requests struct{}

// A redirect that asks for a GET fails the run, whatever its method. With 307
// and 308 the same request is sent to the new URL.
func TestCall_FollowsOnly307And308(t *testing.T) {
	var done string
	status := 0
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/run" {
			http.Redirect(w, r, "/login?return=t0ken-of-a-session", status)
			return
		}
		done = r.Method + " " + r.URL.Path + " " + string(b)
	})
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		for _, status = range []int{301, 302, 303, 307, 308} {
			done = ""
			r, body := httpcall.Request{Method: method, URL: s.URL + "/run"}, ""
			if method[0] == 'P' {
				body = `{"shard": 2}`
				r.Headers, r.Body = map[string]string{"Content-Type": "application/json"}, `{"shard": {shard}}`
			}
			err := handler(t, r).Handle(t.Context(), shard)
			if status > 303 {
				if want := method + " /login " + body; err != nil || done != want {
					t.Errorf("%s, %d: got %v and %q, want %q", method, status, err, done, want)
				}
				continue
			}
			want := fmt.Sprintf("%s %s/run: the answer is %d %s and leads to %s/login?***, which was not called; call that URL, or let the server answer 307 or 308",
				method, s.URL, status, http.StatusText(status), s.URL)
			if err == nil || err.Error() != want || done != "" {
				t.Errorf("%s, %d: got %v and %q, want %s", method, status, err, done, want)
			}
		}
	}
	// A service can answer 303 when the work is done. Success decides about
	// that.
	status = 303
	h := handler(t, httpcall.Request{Method: "POST", URL: s.URL + "/run", Success: func(r httpcall.Response) error {
		if r.Status != 303 || !strings.HasPrefix(r.Header.Get("Location"), "/login") {
			return errors.New("unexpected")
		}
		return nil
	}})
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Error(err)
	}
}

// A redirect to the same host in another spelling is followed.
func TestCall_SameHostInAnotherSpelling(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/run" {
			http.Redirect(w, r, "http://LOCALHOST:"+port(r.Host)+"/done", http.StatusPermanentRedirect)
		}
	})
	if err := handler(t, httpcall.Request{URL: "http://localhost:" + port(s.URL) + "/run"}).Handle(t.Context(), shard); err != nil {
		t.Error(err)
	}
}

func port(host string) string { return host[strings.LastIndexByte(host, ':')+1:] }

// The error of a run has the URL and the begin of the answer, on one line of
// valid UTF-8.
func TestCall_ErrorNamesURLAndAnswer(t *testing.T) {
	answer := ""
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, answer)
	})
	h := handler(t, httpcall.Request{URL: s.URL + "/run/{shard}?region={parameter}&mode=fast"})
	for text, want := range map[string]string{
		"no such region\n":                  ": no such region",
		"":                                  "",
		"a\r\nb\x00\x1b[31m":                `: a\r\nb\x00\x1b[31m`,
		"\xd6\xd0":                          ": \uFFFD",
		strings.Repeat("é", 101) + "\x00":   ": " + strings.Repeat("é", 100) + "…",
		strings.Repeat("x", 199) + "é tail": ": " + strings.Repeat("x", 199) + "…",
	} {
		answer = text
		err := h.Handle(t.Context(), shard)
		full := "GET " + s.URL + "/run/2?region=eu+west%2F1%26x%3D%C3%BC&mode=fast: the answer is 503 Service Unavailable" + want
		if err == nil || err.Error() != full || !utf8.ValidString(err.Error()) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("%q:\n got %q\nwant %q", text, err, full)
		}
	}
}

// A server can repeat every part of a request in its answer, in any encoding.
// No error shows its secrets.
func TestCall_AnswerShowsNoSecret(t *testing.T) {
	const planted = `S3cr3t<&"/é`
	asJSON, _ := json.Marshal(planted)
	for name, form := range map[string]string{
		"as it is":   planted,
		"in HTML":    html.EscapeString(planted),
		"in a query": url.QueryEscape(planted),
		"in a path":  url.PathEscape(planted),
		"in JSON":    string(asJSON),
		"in base64":  base64.StdEncoding.EncodeToString([]byte("jobs:" + planted)),
		"at the cut": strings.Repeat("x", 195) + planted,
	} {
		s := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, form)
		})
		for place, r := range map[string]httpcall.Request{
			"Bearer": {URL: s.URL, Headers: map[string]string{"Authorization": "Bearer " + planted}},
			"Basic": {
				URL:     s.URL,
				Headers: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("jobs:"+planted))},
			},
			"X-Key":         {URL: s.URL, Headers: map[string]string{"X-Key": planted}},
			"query":         {URL: s.URL + "?token=" + url.QueryEscape(planted)},
			"unnamed query": {URL: s.URL + "?" + url.QueryEscape(planted)},
			"JSON body": {
				Method:  "POST",
				URL:     s.URL,
				Headers: map[string]string{"Content-Type": "application/json"},
				Body:    `{"password": ` + string(asJSON) + `}`,
			},
			"form body": {
				Method:  "POST",
				URL:     s.URL,
				Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
				Body:    "a=1&pwd=" + url.QueryEscape(planted),
			},
			"named parameter": {URL: s.URL + "?token={parameter}"},
		} {
			sh := shard
			sh.Parameter = planted
			err := handler(t, r).Handle(t.Context(), sh)
			if name == "in base64" && place != "Basic" {
				continue // it was not sent in this form
			}
			if err == nil || strings.Contains(err.Error(), "S3cr3t") || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("jobs:"))[:6]) {
				t.Errorf("%s, %s: got %v", name, place, err)
			}
		}
	}
}

// A run with a zero byte in a parameter fails without a retry, wherever the
// parameter is used.
func TestCall_ZeroByteIsPermanent(t *testing.T) {
	calls := 0
	s := server(t, func(http.ResponseWriter, *http.Request) { calls++ })
	for _, r := range []httpcall.Request{
		{URL: s.URL + "/{parameter}"}, {URL: s.URL + "?p={parameter}"}, {URL: s.URL + "?p={job_parameter}"}, {
			URL:     s.URL,
			Headers: map[string]string{"X-P": "{parameter}"},
		},
		{
			Method:  "POST",
			URL:     s.URL,
			Headers: map[string]string{"Content-Type": "application/json"},
			Body:    `{"p":"{parameter}"}`,
		},
		{
			Method:  "POST",
			URL:     s.URL,
			Headers: map[string]string{"Content-Type": "application/xml"},
			Body:    `<p>{parameter}</p>`,
		},
		{Method: "POST", URL: s.URL, Headers: map[string]string{"Content-Type": "text/plain"}, Body: `{parameter}`},
	} {
		sh := shard
		sh.Parameter, sh.JobParameter = "a\x00b", "a\x00b"
		err := handler(t, r).Handle(t.Context(), sh)
		if p := (*engine.Permanent)(nil); !errors.As(err, &p) || calls > 0 {
			t.Errorf("%s: got %v and %d calls", r, err, calls)
		}
	}
}

// A request and the handler made of it are printed without their secrets.
func TestRequest_IsPrintedWithoutSecrets(t *testing.T) {
	r := httpcall.Request{
		Method:  "POST",
		URL:     "https://a.example/hooks/T0S3cr3tS3cr3tS3cr3tX/{shard}?mode=fast&token=S3cr3t&S3cr3t&region={parameter}",
		Body:    `{"password":"S3cr3t"}`,
		Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer S3cr3t"},
	}
	want := "POST https://a.example/hooks/***/{shard}?mode=fast&token=***&***&region={parameter}"
	if r.String() != want {
		t.Errorf("got %s, want %s", r, want)
	}
	var b bytes.Buffer
	for _, v := range []any{
		r,
		&r,
		[]any{r},
		handler(t, r),
		httpcall.Request{URL: "S3cr3t"},
		httpcall.Request{URL: "https://u:S3cr3t@a/"},
		httpcall.Request{URL: "https://u:a/S3cr3t@a/"},
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&b, format+"\n", v)
		}
		asJSON, _ := json.Marshal(v)
		b.Write(asJSON)
		slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("JSON", "v", v)
	}
	if strings.Contains(b.String(), "S3cr3t") {
		t.Errorf("a secret is shown:\n%s", &b)
	}
}
