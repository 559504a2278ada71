package httpcall

import (
	"cmp"
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

// What is used where a Request says nothing.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultConnectTimeout = 5 * time.Second
	DefaultMaxResponse    = 64 << 10
)

// Request says what is called, and how. It is printed without its headers, its body
// and what looks like a secret in its URL.
type Request struct {
	// Method is GET, HEAD, POST, PUT, PATCH or DELETE. Empty means GET.
	Method string

	// URL is a template; fields may be in its path and query. It has http or https for scheme, and neither a user nor a
	// fragment: credentials belong in Headers.
	URL string

	// Headers are templates, by name. Their values are never part of an error.
	Headers map[string]string

	// Body is a template; what its fields hold is escaped as the header Content-Type asks: JSON, XML, forms, text/plain. With another type it
	// can have no fields. In JSON, fields that are not numbers belong in quotes. GET and HEAD have no body.
	Body string

	// Success says whether the run has succeeded. Nil means that every status from 200 to 299 is a success. Its error is the
	// run's. It is also asked about redirects that are not followed.
	Success func(Response) error

	// Timeout bounds the whole call, with redirects and the response's body. Zero means DefaultTimeout; the job's own Timeout
	// counts, too.
	Timeout time.Duration

	// ConnectTimeout bounds looking up the name and connecting. Zero means DefaultConnectTimeout.
	ConnectTimeout time.Duration

	// MaxResponse is how many bytes of the response's body are read. Zero means DefaultMaxResponse.
	MaxResponse int

	// Allow has addresses that may be called although they are not public. See Private and Loopback. Addresses that give out the
	// credentials of a machine, such as 169.254.169.254, need a prefix of their own, 169.254.169.254/32.
	Allow []netip.Prefix

	// TLS is for servers whose certificate is not signed by an authority of the system, and for certificates of one's own. Nil
	// means what Go does.
	TLS *tls.Config
}

// Response is what a server has answered.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte // at most MaxResponse bytes
	Truncated bool   // there was more
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// forbidden are headers that net/http sets by itself, or ignores.
var forbidden = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade"}

// New returns a handler that makes the call once for each shard and fire. All that is wrong with the request is in one error: a template
// with a field that there is not, a URL that is none, and so on.
//
// The handler returns an error if there is no answer in time, or if it is not a success. The error names the method, the URL that was
// called, the status and the first 200 bytes of the answer, on one line. Headers, and values of the query that look like a secret by
// their name or their text, are left out, also where the answer repeats them. If Success is set its error takes the place of the status and
// the answer. A run whose parameters can't be put into the request, such as one with a zero byte, fails without a retry.
//
// A request whose answer was lost may have been carried out, and a run can be repeated: have the server remember {key}, or refuse a {fence}
// smaller than one that it has seen.
func New(r Request) (elastic.Handler, error) {
	h, err := r.handler()
	if err != nil {
		return nil, err
	}
	connectTimeout := cmp.Or(r.ConnectTimeout, DefaultConnectTimeout)
	h.client = newClient(connectTimeout, slices.Clone(r.Allow), r.TLS.Clone())
	return h, nil
}

// Validate returns all faults of r in one error, as New does. It calls nothing.
func (r Request) Validate() error {
	_, err := r.handler()
	return err
}

// handler returns a handler without a client, or all faults of r.
func (r Request) handler() (*handler, error) {
	h := &handler{
		method:      r.Method,
		success:     r.Success,
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
			list.AddField("allow", "prefix %d is the zero Prefix: make it with netip.ParsePrefix", i)
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

// parseURL splits the URL into what can't depend on the run, its path and its query.
func (h *handler) parseURL(s string) (err error) {
	if strings.Contains(s, "#") {
		return errors.New("must not have a fragment (#): it is not sent")
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
		return errors.New("must not have a user: credentials belong in a header, which is never part of an error")
	case placeholder.MatchString(host):
		return fmt.Errorf("the host of %q must be fixed: what the store holds can't say who is called", h.shown)
	}
	h.base, h.pathText, h.queryText = scheme+"://"+host, "/"+path, query
	if h.path, err = parseTemplate("/" + path); err != nil {
		return err
	}
	if h.query, err = parseTemplate(query); err != nil {
		return err
	}
	u, err := url.Parse(h.fillURL(probe))
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("%q: %w", h.shown, e.Err) // the rest of it has the query
	}
	if u.Hostname() == "" {
		return fmt.Errorf("%q has no host", h.shown)
	}
	return nil
}

// withoutQuery returns a URL as errors may show it.
func withoutQuery(s string) string {
	before, _, _ := strings.Cut(s, "?")
	return before
}

func (h *handler) parseHeader(name, text string) error {
	canonical := http.CanonicalHeaderKey(name)
	if slices.Contains(forbidden, canonical) {
		return errors.New("it follows from the request, and can't be set")
	}
	t, err := parseTemplate(text)
	if err != nil {
		// Not err: the field in it may be a part of a secret.
		return fmt.Errorf("there is something in braces that is no field; the fields are {%s}", strings.Join(fields, "}, {"))
	}
	if _, twice := h.headers[canonical]; twice {
		return errors.New("it is there twice, in another case")
	}
	h.headers[canonical] = t
	if !validName(canonical) || hasControls(text) {
		return errors.New("the name or the value has characters that a header can't have")
	}
	return nil
}

// hasControls says whether a header can't have the value.
func hasControls(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

// validName says whether name is a token, as RFC 9110 has it in section 5.6.2.
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
		return fmt.Errorf("%s has none: use POST, PUT, PATCH or DELETE", h.method)
	}
	contentType, ok := h.headers["Content-Type"]
	if !ok || len(contentType.fields) > 0 {
		return errors.New("the header Content-Type, without fields, must say what it is")
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
			return errors.New("is not JSON once its fields are filled in; those that are not numbers belong in quotes")
		}
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		h.escape = inXML
	case kind == "application/x-www-form-urlencoded":
		h.escape = url.QueryEscape
	case kind == "text/plain" || len(t.fields) == 0:
		h.escape = asItIs
	default:
		return fmt.Errorf("there is no way to escape fields in %s; those are possible in JSON, XML, forms and text/plain", kind)
	}
	return nil
}
