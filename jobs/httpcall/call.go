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
	"github.com/elasticjob-go/elastic/internal/secret"
)

type handler struct {
	method      string
	base        string // scheme and host
	path        template
	query       template
	pathText    string // the path as it was given
	queryText   string
	shown       string // the URL in errors that are not about a run
	headers     map[string]template
	body        template
	hasBody     bool
	escape      func(string) string               // for the body
	success     func(Response) error              // nil: by the status
	header      func(context.Context) http.Header // nil: no more
	timeout     time.Duration
	maxResponse int
	client      *http.Client
}

// answer is a response. place is the target of a redirect that was not
// followed.
type answer struct {
	Response
	place string
}

// Handle makes the call for one run of a shard.
func (h *handler) Handle(ctx context.Context, run elastic.Run) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	req, err := h.request(run)
	if err != nil { // a retry has the same parameters
		return elastic.Permanent(fmt.Errorf("%s %s: %w", h.method, h.shown, err))
	}
	h.addHeader(ctx, req.Header)
	within, cancel := context.WithTimeoutCause(ctx, h.timeout, fmt.Errorf("no answer within %s", h.timeout))
	defer cancel()
	a, err := h.call(req.WithContext(within))
	switch {
	case err == nil && h.success != nil:
		err = h.success(a.Response)
	case err == nil && (a.Status < 200 || a.Status > 299):
		err = a.failure(h.secrets(run))
	case err == nil:
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case within.Err() != nil:
		err = context.Cause(within)
	default:
		err = h.conceal(err, run)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", h.method, h.called(run), err)
	}
	return nil
}

// call returns the answer to a request.
func (h *handler) call(req *http.Request) (answer, error) {
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(h.maxResponse)+1))
	if err != nil {
		return answer{}, err
	}
	a := answer{Response{Status: res.StatusCode, Header: res.Header, Body: body}, placeOf(res)}
	if len(body) > h.maxResponse {
		a.Body, a.Truncated = body[:h.maxResponse], true
	}
	return a, nil
}

// request returns the request of a run.
func (h *handler) request(run elastic.Run) (*http.Request, error) {
	if strings.ContainsRune(run.Parameter+run.JobParameter, 0) {
		return nil, errors.New("a parameter has a zero byte, which a request cannot have; change the parameter")
	}
	var body io.Reader
	if h.hasBody {
		body = strings.NewReader(h.body.fill(run, h.escape))
	}
	filled := h.fillURL(run)
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
		value := t.fill(run, asItIs)
		if hasControls(value) {
			return nil, fmt.Errorf("a parameter has a control character, which the header %s can't have", name)
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// addHeader adds the headers that Request.Header returns. What a request can't
// have, or has already, is left out: such headers are about the call, and no
// reason not to make it.
func (h *handler) addHeader(ctx context.Context, to http.Header) {
	if h.header == nil {
		return
	}
	for name, values := range h.header(ctx) {
		canonical := http.CanonicalHeaderKey(name)
		if to.Values(canonical) != nil || slices.Contains(forbidden, canonical) || !validName(canonical) {
			continue
		}
		for _, value := range values {
			if !hasControls(value) {
				to.Add(canonical, value)
			}
		}
	}
}

// staysInPath returns an error if the path has a segment "." or "..". Servers
// resolve them even where the slash before them, or they themselves, are
// escaped. Some servers end a segment at a backslash or a semicolon.
func staysInPath(path string) error {
	for _, segment := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if step, _, _ := strings.Cut(segment, ";"); step == "." || step == ".." {
			return fmt.Errorf("its path would have the segment %q, which leads to another path", segment)
		}
	}
	return nil
}

func (h *handler) fillURL(run elastic.Run) string {
	s := h.base + h.path.fill(run, url.PathEscape)
	if h.query.text[0] != "" || len(h.query.fields) > 0 {
		s += "?" + h.query.fill(run, url.QueryEscape)
	}
	return s
}

// conceal returns an error of net/http without the URL that it wraps, and
// without the secrets of the request: errors about malformed answers quote the
// answer, which can repeat them.
func (h *handler) conceal(err error, run elastic.Run) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return secret.Error(err, h.secrets(run)...)
}
