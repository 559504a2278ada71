package store

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/internal/secret"
)

// hiddenText stands where a secret was.
const hiddenText = "***"

// String returns the URL without its secrets.
func (c Config) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme + "://")
	if c.User != "" || c.Password != "" {
		b.WriteString(shownUser(c.Scheme, url.PathEscape(c.User), c.Password != "", c.Password != "") + "@")
	}
	hosts := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		hosts[i] = shownHost(h)
	}
	b.WriteString(strings.Join(hosts, ",") + "/" + c.Namespace)
	sep := byte('?')
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		b.WriteByte(sep)
		value := shownValue(name, c.Params[name])
		if value != hiddenText {
			value = url.QueryEscape(value)
		}
		b.WriteString(shownName(name, c.Params[name] != "") + "=" + value)
		sep = '&'
	}
	return b.String()
}

// GoString returns the URL without its secrets, as String does.
func (c Config) GoString() string { return "store.Config(" + c.String() + ")" }

// Format prints the URL without its secrets, whatever the verb.
func (c Config) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		secret.Format(f, verb, c.GoString())
		return
	}
	secret.Format(f, verb, c.String())
}

// MarshalText returns the URL without its secrets: for JSON, YAML and XML. A
// Config can't be read back from it.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue returns the URL without its secrets, for package slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// secrets returns the parts of c that must not be in an error.
func (c Config) secrets() []string {
	all := []string{c.Password}
	for name, value := range c.Params {
		if shownValue(name, value) != value {
			all = append(all, value)
		}
	}
	if c.User != "" && shownUser(c.Scheme, c.User, c.Password != "", true) == hiddenText {
		all = append(all, c.User)
	}
	for _, s := range all {
		all = append(all, url.QueryEscape(s), url.PathEscape(s))
	}
	return all
}

// Redact returns a store URL as logs and errors may show it. It also takes URLs
// that do not parse. Replaced by *** are:
//
//   - the password. It ends at the last @ of the URL: one that is not
//     percent-encoded may hold any character
//   - a user without a password, and any user of Consul or of a store that this
//     module has no driver for: it may be a token
//   - the value of a parameter that no linked driver knows, or whose name
//     looks like that of a secret
//   - text where a port, an environment variable or a file is expected and that
//     does not look like one
func Redact(raw string) string {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		scheme, rest = "", raw
	}
	at := strings.LastIndexByte(rest, '@')
	if _, before, _ := strings.Cut(rest[:max(at, 0)], "?"); strings.Contains(before, "=") {
		// The @ may be in a parameter as well as in a password, so all that
		// follows may be a part of a secret.
		return strings.TrimSuffix(raw, rest) + hiddenText
	}
	hosts, query, hasQuery := strings.Cut(rest[at+1:], "?")

	var b strings.Builder
	if found {
		b.WriteString(scheme + "://")
	}
	if at >= 0 {
		user, _, hasPassword := strings.Cut(rest[:at], ":")
		b.WriteString(shownUser(scheme, user, hasPassword, strings.Contains(query, "password_")) + "@")
	}
	hosts, path, hasPath := strings.Cut(hosts, "/")
	for i, h := range strings.Split(hosts, ",") {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(shownHost(h))
	}
	if hasPath {
		b.WriteString("/" + path)
	}
	if !hasQuery {
		return b.String()
	}
	b.WriteByte('?')
	parts := strings.FieldsFunc(query, func(c rune) bool { return c == '&' || c == ';' })
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, hasValue := strings.Cut(p, "=")
		b.WriteString(shownName(name, value != ""))
		if hasValue {
			b.WriteString("=" + shownValue(name, value))
		}
	}
	return b.String()
}

// shownUser returns what may be shown of a user. A password comes after a
// colon, or from a place that a parameter names.
func shownUser(scheme, user string, colon, named bool) string {
	hasUsers := strings.EqualFold(scheme, "etcd") || strings.EqualFold(scheme, "zookeeper")
	notPart := func(c rune) bool { return strings.ContainsRune("/?#&=@", c) }
	if !hasUsers || !colon && !named || strings.ContainsFunc(user, notPart) {
		user = hiddenText
	}
	if colon && user != hiddenText {
		user += ":" + hiddenText
	}
	return user
}

// shownHost returns what may be shown of a host. Text after a colon that can't
// be a port nor a part of an IPv6 address may be a password.
func shownHost(host string) string {
	name, after, found := strings.Cut(host, ":")
	if !found || strings.HasPrefix(host, "[") {
		return host
	}
	n, err := strconv.ParseUint(after, 10, 32)
	isPort := err == nil && n < 100_000
	notIPv6 := func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:.", c) }
	isIPv6 := strings.Contains(after, ":") && !strings.ContainsFunc(after, notIPv6)
	if isPort || isIPv6 || after == "" {
		return host
	}
	return name + ":" + hiddenText
}

// shownName returns what may be shown of a parameter's name. One without a
// value that no driver knows may be a token, or the rest of a password.
func shownName(name string, hasValue bool) string {
	notPart := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}
	if !isParam(name) && (!hasValue || len(name) > 32 || strings.ContainsFunc(name, notPart)) {
		return hiddenText
	}
	return name
}

// shownValue returns what may be shown of a parameter's value.
func shownValue(name, value string) string {
	lower := strings.ToLower(name)
	place := value // percent-encoded if it comes from Redact
	if decoded, err := url.QueryUnescape(value); err == nil {
		place = decoded
	}
	shown := false
	switch {
	case value == "":
		shown = true
	case strings.HasSuffix(lower, "_env"):
		shown = secret.IsVariable(place)
	case strings.HasSuffix(lower, "_file"), lower == "ca", lower == "cert", lower == "key":
		shown = secret.IsPath(place)
	default:
		shown = isParam(name) && !secret.IsName(name) && !strings.Contains(place, "=")
	}
	if !shown {
		return hiddenText
	}
	return value
}

// isParam reports whether every store, or a driver that is linked in, knows a
// parameter.
func isParam(name string) bool {
	if slices.Contains(commonParams, name) {
		return true
	}
	driversMu.RLock()
	defer driversMu.RUnlock()
	for _, d := range drivers {
		if slices.Contains(d.Params, name) {
			return true
		}
	}
	return false
}

// commonParams are the parameters that every store understands.
var commonParams = []string{"session_ttl", "request_timeout", "password_env", "password_file"}
