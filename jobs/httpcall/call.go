package httpcall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
)

type handler struct {
	method, base string
	path, query  template
	shown        string // the URL in errors
	headers      map[string]template
	body         template
	hasBody      bool
	escape       func(string) string // for the body
	success      func(Response) error
	timeout      time.Duration
	maxResponse  int
	client       *http.Client
}

// Handle makes the call for one shard.
func (h *handler) Handle(ctx context.Context, sh elastic.Shard) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	req, err := h.request(sh)
	if err != nil { // the parameters are the same the next time
		return elastic.Permanent(fmt.Errorf("%s %s: %w", h.method, h.shown, err))
	}
	within, cancel := context.WithTimeoutCause(ctx, h.timeout, fmt.Errorf("no answer within %s", h.timeout))
	defer cancel()
	answer, err := h.call(req.WithContext(within))
	if err == nil {
		err = h.success(answer)
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if within.Err() != nil {
		err = context.Cause(within)
	} else {
		err = conceal(err, req)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", h.method, h.shown, err)
	}
	return nil
}

// call returns the answer to a request.
func (h *handler) call(req *http.Request) (Response, error) {
	res, err := h.client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(h.maxResponse)+1))
	if err != nil {
		return Response{}, err
	}
	answer := Response{Status: res.StatusCode, Header: res.Header, Body: body}
	if len(body) > h.maxResponse {
		answer.Body, answer.Truncated = body[:h.maxResponse], true
	}
	return answer, nil
}

// request returns the request of a run.
func (h *handler) request(sh elastic.Shard) (*http.Request, error) {
	var body io.Reader
	if h.hasBody {
		body = strings.NewReader(h.body.fill(sh, h.escape))
	}
	filled := h.fillURL(sh)
	req, err := http.NewRequest(h.method, filled, body)
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return nil, e.Err
	}
	if err != nil {
		return nil, err
	}
	if err := staysInPath(req.URL.Path); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "elastic")
	for name, t := range h.headers {
		value := t.fill(sh, asItIs)
		if hasControls(value) {
			return nil, fmt.Errorf("a parameter has a control character, which the header %s can't have", name)
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// staysInPath returns an error if the path has a segment that is a step. Servers take it for one even where a slash before it, or it
// itself, is escaped; some end a segment at a backslash, or at a semicolon.
func staysInPath(path string) error {
	for _, segment := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if step, _, _ := strings.Cut(segment, ";"); step == "." || step == ".." {
			return fmt.Errorf("its path would have the segment %q, which leads elsewhere", segment)
		}
	}
	return nil
}

func (h *handler) fillURL(sh elastic.Shard) string {
	s := h.base + h.path.fill(sh, url.PathEscape)
	if h.query.text[0] != "" || len(h.query.fields) > 0 {
		s += "?" + h.query.fill(sh, url.QueryEscape)
	}
	return s
}

// concealed is an error without what must not be in a log.
type concealed struct {
	text string
	err  error
}

func (c *concealed) Error() string { return c.text }
func (c *concealed) Unwrap() error { return c.err }

// conceal takes the URL of a run out of an error of net/http, and what of the request a server may have put into what it answered: errors
// about malformed answers quote them.
func conceal(err error, req *http.Request) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	words := strings.FieldsFunc(req.URL.RawQuery, func(c rune) bool { return c == '&' || c == '=' })
	for _, values := range req.Header {
		for _, value := range values {
			words = append(append(words, value), strings.Fields(value)...)
		}
	}
	// The longest first, or a word could spoil one that it is a part of.
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	text := err.Error()
	for _, word := range words {
		if len(word) > 3 {
			text = strings.ReplaceAll(text, word, "…")
		}
	}
	if text == err.Error() {
		return err
	}
	return &concealed{text, err}
}
