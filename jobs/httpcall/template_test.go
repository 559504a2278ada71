package httpcall_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
)

// The value of a field is escaped for its place: path, query, header, or the
// kind of body.
func TestTemplate_EscapesForThePlace(t *testing.T) {
	var asked, accept, body string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked, accept, body = r.Method+" "+r.RequestURI, r.Header.Get("X-Parameter"), string(b)
	})
	for _, tt := range []struct {
		name             string
		r                httpcall.Request
		want, wantedBody string
	}{
		{
			"path",
			httpcall.Request{URL: s.URL + "/run/{shard}/of/{total}/{parameter}"},
			"GET /run/2/of/5/eu%20west%2F1&x=%C3%BC",
			"",
		},
		{
			"query",
			httpcall.Request{URL: s.URL + "?p={parameter}&{job_parameter}=1"},
			"GET /?p=eu+west%2F1%26x%3D%C3%BC&all=1",
			"",
		},
		{"fixed query", httpcall.Request{URL: s.URL + "/a%20b?p=1&q"}, "GET /a%20b?p=1&q", ""},
		{
			"all the rest",
			httpcall.Request{URL: s.URL + "/{job}/{fire}/{trigger}/{attempt}/{fence}/{key}"},
			"GET /report/2026-01-02T02:00:00Z/0/2/0/report%2F2%2F2026-01-02T02:00:00Z",
			"",
		},
		{
			"JSON", httpcall.Request{
				Method:  "POST",
				URL:     s.URL,
				Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
				Body:    `{"shard": {shard}, "parameter": "{parameter}", "nested": {}}`,
			},
			"POST /", `{"shard": 2, "parameter": "eu west/1\u0026x=ü", "nested": {}}`,
		},
		{
			"form", httpcall.Request{
				Method:  "PUT",
				URL:     s.URL,
				Headers: map[string]string{"content-type": "application/x-www-form-urlencoded"},
				Body:    "p={parameter}",
			},
			"PUT /", "p=eu+west%2F1%26x%3D%C3%BC",
		},
		{"XML", httpcall.Request{
			Method:  "PATCH",
			URL:     s.URL,
			Headers: map[string]string{"Content-Type": "application/soap+xml"},
			Body:    "<p>{parameter}</p>",
		}, "PATCH /", "<p>eu west/1&amp;x=ü</p>"},
		{"text", httpcall.Request{
			Method:  "DELETE",
			URL:     s.URL,
			Headers: map[string]string{"Content-Type": "text/plain"},
			Body:    "{parameter}",
		}, "DELETE /", "eu west/1&x=ü"},
		{"bytes", httpcall.Request{
			Method:  "POST",
			URL:     s.URL,
			Headers: map[string]string{"Content-Type": "application/octet-stream"},
			Body:    "{A}",
		}, "POST /", "{A}"},
	} {
		if tt.r.Headers == nil {
			tt.r.Headers = map[string]string{}
		}
		tt.r.Headers["X-Parameter"] = "<{parameter}>"
		if err := handler(t, tt.r).Handle(t.Context(), shard); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if asked != tt.want || body != tt.wantedBody || accept != "<eu west/1&x=ü>" {
			t.Errorf("%s: got %s with %q and %q\nwant %s with %q", tt.name, asked, body, accept, tt.want, tt.wantedBody)
		}
	}
}

// A stored value cannot lead to another path, add a header, or be part of a
// request that no server would accept.
func TestTemplate_ValuesStayInTheirPlace(t *testing.T) {
	calls := 0
	s := server(t, func(http.ResponseWriter, *http.Request) { calls++ })
	json := map[string]string{"Content-Type": "application/json", "X-Parameter": "{parameter}"}
	h := handler(t, httpcall.Request{
		Method:  "POST",
		URL:     s.URL + "/run/{parameter}/now",
		Headers: json,
		Body:    `{"p":"{parameter}"}`,
	})
	for parameter, want := range map[string]string{
		"..":             "leads to another path",
		".":              "leads to another path",
		"a/../..":        "leads to another path",
		`..\x`:           "leads to another path",
		"..;a":           "leads to another path",
		"a\r\nHost: b":   "control character",
		"a\x00":          "zero byte",
		"?admin=1#":      "",
		`"},{"admin":"1`: "",
		"@evil.example":  "",
		"...":            "",
	} {
		evil := shard
		evil.Parameter = parameter
		before := calls
		err := h.Handle(t.Context(), evil)
		if want == "" && (err != nil || calls != before+1) {
			t.Errorf("%q: got %v and %d calls", parameter, err, calls-before)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || calls != before) {
			t.Errorf("%q: got %v and %d calls, want %q and none", parameter, err, calls-before, want)
		}
		if p := (*engine.Permanent)(nil); want != "" && !errors.As(err, &p) {
			t.Errorf("%q: %v is tried again", parameter, err)
		}
	}
}
