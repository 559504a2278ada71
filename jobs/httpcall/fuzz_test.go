package httpcall

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
)

// For every parameter, the request has the host, the path segments, the names
// of the query and the shape of the body of its templates, or there is no
// request.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"", "..", "a/b", "a%2fb", "?x=1#", `","admin":"`, "\\", "\r\nX: 1",
		"\x00", "ü\xff", "{shard}", "@evil.example", "\u2028", ";/..;",
	} {
		f.Add(s)
	}
	made, err := New(Request{
		Method: "POST", URL: "https://a.example/run/{parameter}/of/{shard}?p={parameter}&q=1",
		Headers: map[string]string{
			"Content-Type": "application/json",
			"X-P":          "<{parameter}>",
		}, Body: `{"p":"{parameter}","list":["{parameter}"],"n":{shard}}`,
	})
	if err != nil {
		f.Fatal(err)
	}
	h := made.(*handler)
	f.Fuzz(func(t *testing.T, parameter string) {
		req, err := h.request(elastic.Run{Shard: 7, Parameter: parameter})
		if err != nil {
			return
		}
		if req.URL.Scheme != "https" || req.URL.Host != "a.example" || req.URL.User != nil || req.URL.Fragment != "" {
			t.Errorf("%q leads to %s", parameter, req.URL)
		}
		segments := strings.Split(req.URL.EscapedPath(), "/")
		if len(segments) != 5 || segments[1] != "run" || segments[3] != "of" || segments[4] != "7" {
			t.Errorf("%q makes the path %s", parameter, req.URL.EscapedPath())
		}
		if q := req.URL.Query(); len(q) != 2 || q.Get("p") != parameter || q.Get("q") != "1" {
			t.Errorf("%q makes the query %s", parameter, req.URL.RawQuery)
		}
		if value := req.Header["X-P"]; len(value) != 1 || strings.ContainsAny(value[0], "\r\n\x00") {
			t.Errorf("%q makes the header %q", parameter, value)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		var sent struct {
			P    *string  `json:"p"`
			List []string `json:"list"`
			N    int      `json:"n"`
		}
		in := json.NewDecoder(strings.NewReader(string(body)))
		in.DisallowUnknownFields()
		if err := in.Decode(&sent); err != nil || in.More() || sent.N != 7 || len(sent.List) != 1 || sent.P == nil || *sent.P != sent.List[0] {
			t.Errorf("%q makes the body %s, %v", parameter, body, err)
		}
	})
}
