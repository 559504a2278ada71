package httpcall

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// The defaults for zero fields of Request.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultConnectTimeout = 5 * time.Second
	DefaultMaxResponse    = 64 << 10
)

// Request is the configuration of a call. Printed, logged or encoded it shows
// neither headers nor body, nor parts of the URL that look like a secret.
type Request struct {
	// Method is GET, HEAD, POST, PUT, PATCH or DELETE. Empty means GET.
	Method string

	// URL is a template with fields in its path and query. Its scheme is http
	// or https. It has no user and no fragment: credentials belong in Headers.
	URL string

	// Headers are templates by name. Their values are never part of an error.
	Headers map[string]string

	// Header returns more headers of a call, such as a traceparent; see
	// observe/otel. ctx is the context of the run. They replace none of
	// Headers, and those that a request can't have are left out. Nil means
	// none.
	Header func(ctx context.Context) http.Header

	// Body is a template. The values of its fields are escaped as the header
	// Content-Type asks: for JSON, XML, forms or text/plain. With another type
	// the body cannot have fields. In JSON, fields that are not numbers belong
	// in quotes. GET and HEAD have no body.
	Body string

	// Success returns the error of the run for a response, or nil if the run
	// has succeeded. Nil means that the statuses 200 to 299 are a success. It
	// is also called for redirects that are not followed.
	Success func(Response) error

	// Timeout bounds the whole call, with redirects and the body of the
	// response. Zero means DefaultTimeout. The Timeout of the job applies too.
	Timeout time.Duration

	// ConnectTimeout bounds the look-up of the name and the connection. Zero
	// means DefaultConnectTimeout.
	ConnectTimeout time.Duration

	// MaxResponse is the number of bytes of the response's body that are read.
	// Zero means DefaultMaxResponse.
	MaxResponse int

	// Allow contains addresses that may be called although they are not public.
	// See Private and Loopback. An address that gives out the credentials of a
	// machine, such as 169.254.169.254, needs a prefix of its own:
	// 169.254.169.254/32.
	Allow []netip.Prefix

	// TLS is for certificates that no authority of the system has signed, and
	// for client certificates. Nil means the defaults of Go.
	TLS *tls.Config
}

// Response is the answer of a server.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte // at most MaxResponse bytes
	Truncated bool   // the body was longer
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// forbidden are headers that net/http sets itself, or ignores.
var forbidden = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade"}

// New returns a handler that makes the call once for each run of a shard. All
// faults of the request are in one error, such as an unknown field in a
// template, or an invalid URL.
//
// The handler returns an error if the answer is not a success or does not come
// in time. The error is one line with the method, the URL, the status and the
// first 200 bytes of the answer. It has no headers, and no parts of the query
// or the answer that look like a secret of the request. If Success is set, its
// error replaces the status and the answer. A run with a parameter that a
// request cannot have, such as a zero byte, fails without a retry.
//
// A server may have done the work although its answer was lost, and a run can
// be repeated. So let the server remember {key}, or refuse a {fence} smaller
// than one that it has seen.
func New(r Request) (elastic.Handler, error) {
	h, err := r.handler()
	if err != nil {
		return nil, err
	}
	connectTimeout := cmp.Or(r.ConnectTimeout, DefaultConnectTimeout)
	h.client = newClient(connectTimeout, slices.Clone(r.Allow), r.TLS.Clone())
	return h, nil
}

// Validate returns all faults of r in one error, as New does. It makes no call.
func (r Request) Validate() error {
	_, err := r.handler()
	return err
}

// handler returns a handler without a client, or all faults of r.
func (r Request) handler() (*handler, error) {
	h := &handler{
		method:      r.Method,
		success:     r.Success,
		header:      r.Header,
		timeout:     cmp.Or(r.Timeout, DefaultTimeout),
		maxResponse: cmp.Or(r.MaxResponse, DefaultMaxResponse),
		headers:     make(map[string]template),
	}
	var list faults.List
	if h.method == "" {
		h.method = http.MethodGet
	}
	if !slices.Contains(methods, h.method) {
		list.AddField("method", "must be one of %s, is %q", strings.Join(methods, ", "), r.Method)
	}
	if err := h.parseURL(r.URL); err != nil {
		list.AddField("URL", "%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if err := h.parseHeader(name, r.Headers[name]); err != nil {
			list.AddField("headers", "%q: %w", name, err)
		}
	}
	if err := h.parseBody(r.Body); err != nil {
		list.AddField("body", "%w", err)
	}
	if r.Timeout < 0 {
		list.AddField("timeout", "must not be negative, is %s", r.Timeout)
	}
	if r.ConnectTimeout < 0 {
		list.AddField("connect timeout", "must not be negative, is %s", r.ConnectTimeout)
	}
	if r.MaxResponse < 0 {
		list.AddField("max response", "must not be negative, is %d", r.MaxResponse)
	}
	for i, p := range r.Allow {
		if !p.IsValid() {
			list.AddField("allow", "prefix %d is the zero Prefix; use netip.ParsePrefix", i)
		}
	}
	if list.Len() == 0 {
		if _, err := h.request(probe); err != nil {
			list.AddField("URL", "%w", err)
		}
	}
	if err := list.ErrOf("request is not valid"); err != nil {
		return nil, err
	}
	return h, nil
}

// parseURL divides the URL into the part that cannot depend on the run, the
// path and the query.
func (h *handler) parseURL(s string) (err error) {
	if strings.Contains(s, "#") {
		return errors.New("must not have a fragment (#), which is not sent")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found || scheme != "http" && scheme != "https" {
		return fmt.Errorf("must begin with http:// or https://, is %q", withoutQuery(s))
	}
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	h.shown = withoutQuery(shownURL(s))
	switch {
	case strings.Contains(host, "@"):
		h.shown = ""
		return errors.New("must not have a user; put credentials into a header, which is never part of an error")
	case placeholder.MatchString(host):
		return fmt.Errorf("the host of %q must be fixed; a stored value cannot choose the host", h.shown)
	}
	h.base = scheme + "://" + host
	h.pathText = "/" + path
	h.queryText = query
	if h.path, err = parseTemplate("/" + path); err != nil {
		return err
	}
	if h.query, err = parseTemplate(query); err != nil {
		return err
	}
	u, err := url.Parse(h.fillURL(probe))
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("%q: %w", h.shown, e.Err) // the text of e has the query
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%q has no host", h.shown)
	}
	return nil
}

// withoutQuery returns a URL for errors.
func withoutQuery(s string) string {
	before, _, _ := strings.Cut(s, "?")
	return before
}

func (h *handler) parseHeader(name, text string) error {
	canonical := http.CanonicalHeaderKey(name)
	if slices.Contains(forbidden, canonical) {
		return errors.New("it follows from the request; leave it out")
	}
	t, err := parseTemplate(text)
	if err != nil {
		// The error must not show the field, which can be a part of a secret.
		return fmt.Errorf("a text in braces is not a field; the fields are {%s}", strings.Join(fields, "}, {"))
	}
	if _, twice := h.headers[canonical]; twice {
		return errors.New("it is set twice, in another case")
	}
	h.headers[canonical] = t
	if !validName(canonical) || hasControls(text) {
		return errors.New("the name or the value has characters that a header can't have")
	}
	return nil
}

// hasControls reports whether a value has characters that a header cannot have.
func hasControls(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

// validName reports whether name is a token as defined in RFC 9110, section
// 5.6.2.
func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7F || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func (h *handler) parseBody(s string) (err error) {
	if s == "" {
		return nil
	}
	if h.method == http.MethodGet || h.method == http.MethodHead {
		return fmt.Errorf("%s has none; use POST, PUT, PATCH or DELETE", h.method)
	}
	contentType, ok := h.headers["Content-Type"]
	if !ok || len(contentType.fields) > 0 {
		return errors.New("must have a header Content-Type, without fields")
	}
	kind, _, err := mime.ParseMediaType(contentType.text[0])
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType.text[0], err)
	}
	t, err := parseTemplate(s)
	if err != nil {
		return err
	}
	h.body, h.hasBody = t, true
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		h.escape = inJSON
		if !json.Valid([]byte(t.fill(probe, inJSON))) {
			return errors.New("is not JSON when its fields are filled in; put fields that are not numbers in quotes")
		}
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		h.escape = inXML
	case kind == "application/x-www-form-urlencoded":
		h.escape = url.QueryEscape
	case kind == "text/plain" || len(t.fields) == 0:
		h.escape = asItIs
	default:
		return fmt.Errorf("cannot escape fields in %s; use JSON, XML, forms or text/plain", kind)
	}
	return nil
}
