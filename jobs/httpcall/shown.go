package httpcall

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/secret"
)

const (
	maxShownURL    = 400 // bytes of a URL in an error
	maxShownAnswer = 200 // bytes of an answer in an error
	hiddenText     = "***"
)

// String returns the method and the URL. Parts that look like a secret, the
// headers and the body are left out.
func (r Request) String() string {
	return cmp.Or(r.Method, http.MethodGet) + " " + shownURL(r.URL)
}

// shownURL returns the template of a URL without the parts that look like a
// secret.
func shownURL(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return hiddenText
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, path, hasPath := strings.Cut(rest, "/")
	if strings.Contains(rest, "@") { // a password may hold a slash
		host, path = hiddenText, hiddenText
	}
	shown := scheme + "://" + host
	if hasPath {
		shown += shownPath("/"+path, nil)
	}
	if hasQuery {
		shown += "?" + shownQuery(query, nil)
	}
	return shown
}

// Format prints what String returns, whatever the verb.
func (r Request) Format(f fmt.State, verb rune) { secret.Format(f, verb, r.String()) }

// MarshalText returns what String returns, for JSON and the like.
func (r Request) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue returns what String returns, for package slog.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String returns the method and the URL without the parts that look like a
// secret.
func (h *handler) String() string { return h.method + " " + h.shown }

// Format prints what String returns, whatever the verb.
func (h *handler) Format(f fmt.State, verb rune) { secret.Format(f, verb, h.String()) }

// called returns the URL of a run for errors.
func (h *handler) called(run elastic.Run) string {
	shown := h.base + shownPath(h.pathText, &run)
	if h.queryText != "" {
		shown += "?" + shownQuery(h.queryText, &run)
	}
	return secret.Printable(shown, maxShownURL)
}

// shownPath returns a path with the fields of a run filled in, if run is not
// nil. A fixed segment that looks like a token, as in the URLs of webhooks, is
// hidden.
func shownPath(text string, run *elastic.Run) string {
	segments := strings.Split(text, "/")
	for i, s := range segments {
		if len(s) >= 20 && secret.IsLike(s) && !placeholder.MatchString(s) {
			segments[i] = hiddenText
			continue
		}
		segments[i] = filled(s, run, url.PathEscape)
	}
	return strings.Join(segments, "/")
}

// shownQuery returns a query with the fields of a run filled in, if run is not
// nil. Values are hidden if their name or text looks like a secret.
func shownQuery(text string, run *elastic.Run) string {
	parts := strings.Split(text, "&")
	for i, p := range parts {
		name, value, found := strings.Cut(p, "=")
		if isSecretPair(name, value) {
			if !found || isSecretFixed(name) {
				parts[i] = hiddenText
			} else {
				parts[i] = filled(name, run, url.QueryEscape) + "=" + hiddenText
			}
			continue
		}
		parts[i] = filled(p, run, url.QueryEscape)
	}
	return strings.Join(parts, "&")
}

func isSecretPair(name, value string) bool {
	return isSecretName(name) || isSecretFixed(name) || isSecretFixed(value)
}

// isSecretFixed reports whether the text of a template looks like a secret,
// apart from its fields.
func isSecretFixed(text string) bool { return secret.IsLike(placeholder.ReplaceAllString(text, "")) }

// isSecretName reports whether the value under a name in a query, a header or a
// body is a secret.
func isSecretName(name string) bool {
	lower := strings.ToLower(name)
	isKey := strings.HasSuffix(lower, "key") && lower != "idempotency-key"
	isSignature := slices.Contains([]string{"sig", "sign", "sid", "code"}, lower)
	return secret.IsName(lower) || isKey || isSignature || strings.Contains(lower, "session")
}

// filled returns a part of a template with the fields of a run filled in, if
// run is not nil.
func filled(text string, run *elastic.Run, escape func(string) string) string {
	t, err := parseTemplate(text)
	if run == nil || err != nil {
		return text
	}
	return t.fill(*run, escape)
}

// plain are the headers that hold no secret.
var plain = []string{"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Content-Type", "User-Agent"}

// secrets returns the parts of a run's request that must not be in an error. A
// server may repeat them in its answer.
func (h *handler) secrets(run elastic.Run) []string {
	var all []string
	for name, t := range h.headers {
		hasText := strings.Join(t.text, "") != ""
		if slices.Contains(plain, name) || !hasText && !isSecretName(name) {
			continue
		}
		value := t.fill(run, asItIs)
		all = append(append(append(all, value), t.text...), strings.Fields(value)...)
		for word := range strings.FieldsSeq(value) {
			if decoded, err := base64.StdEncoding.DecodeString(word); err == nil {
				_, password, _ := strings.Cut(string(decoded), ":")
				all = append(all, string(decoded), password)
			}
		}
	}
	for part := range strings.SplitSeq(h.queryText, "&") {
		name, value, _ := strings.Cut(part, "=")
		if !isSecretPair(name, value) {
			continue
		}
		texts := []string{filled(value, &run, url.QueryEscape)}
		if value == "" || isSecretFixed(name) {
			texts = append(texts, filled(name, &run, url.QueryEscape))
		}
		for _, text := range texts {
			all = append(all, text)
			if decoded, err := url.QueryUnescape(text); err == nil {
				all = append(all, decoded)
			}
		}
	}
	for s := range strings.SplitSeq(h.pathText, "/") {
		if shownPath(s, nil) == hiddenText {
			all = append(all, s)
		}
	}
	all = append(all, h.bodySecrets(run)...)
	for _, s := range all {
		all = append(all, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), inJSON(s))
	}
	return slices.DeleteFunc(all, func(s string) bool {
		return slices.Contains([]string{"Bearer", "Basic", "Digest", "Token"}, strings.TrimSpace(s))
	})
}

// bodySecrets returns the words of the body that look like secrets, or whose
// name does.
func (h *handler) bodySecrets(run elastic.Run) []string {
	if !h.hasBody {
		return nil
	}
	var all []string
	words := func(text string) []string {
		const separators = "\"'{}[]<>()=:;,& \t\r\n"
		return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(separators, c) })
	}
	for _, text := range h.body.text {
		all = append(all, slices.DeleteFunc(words(text), func(w string) bool { return !secret.IsLike(w) })...)
	}
	last := ""
	for _, word := range words(h.body.fill(run, h.escape)) {
		if isSecretName(last) {
			all = append(all, word)
			if decoded, err := url.QueryUnescape(word); err == nil {
				all = append(all, decoded)
			}
		}
		last = word
	}
	var document any
	if json.Unmarshal([]byte(h.body.fill(run, h.escape)), &document) == nil {
		all = append(all, namedSecrets("", document)...)
	}
	return all
}

// namedSecrets returns the strings of a JSON document whose name is that of a
// secret.
func namedSecrets(name string, v any) (all []string) {
	switch v := v.(type) {
	case string:
		if isSecretName(name) {
			all = append(all, v)
		}
	case []any:
		for _, e := range v {
			all = append(all, namedSecrets(name, e)...)
		}
	case map[string]any:
		for n, e := range v {
			all = append(all, namedSecrets(n, e)...)
		}
	}
	return all
}

// failure returns the error of an answer that is not a success.
func (a answer) failure(secrets []string) error {
	text := fmt.Sprintf("the answer is %d %s", a.Status, http.StatusText(a.Status))
	if a.place != "" { // a body would repeat it
		place := secret.Printable(secret.Hide(a.place, secrets...), maxShownURL)
		return fmt.Errorf("%s and leads to %s, which was not called; call that URL, or let the server answer 307 or 308",
			text, place)
	}
	if begins := strings.TrimSpace(secret.Hide(string(a.Body), secrets...)); begins != "" {
		text += ": " + secret.Printable(begins, maxShownAnswer)
	}
	return errors.New(text)
}

// placeOf returns the target of a redirect that was not followed, without its
// query and its user.
func placeOf(res *http.Response) string {
	if res.StatusCode < 300 || res.StatusCode > 399 {
		return ""
	}
	to, err := res.Location()
	if err != nil {
		return ""
	}
	shown := to.Scheme + "://" + to.Host + to.EscapedPath()
	if to.RawQuery != "" {
		shown += "?" + hiddenText
	}
	return shown
}
