package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/secret"
	"github.com/elasticjob-go/elastic/store/internal/rotate"
)

// Config is a parsed store URL:
//
//	scheme://[user[:password]@]host[:port][,host[:port]…]/[namespace][?param=value[&…]]
//
// net/url refuses several hosts with ports, so this package has its own parser.
// User, password and parameters are percent-decoded. Parameters that every
// store understands:
//
//	session_ttl      time to live of sessions, such as 10s; see SessionOptions.TTL
//	request_timeout  the longest one call may take when its context has no earlier deadline; default 3s
//	password_env     the environment variable that holds the password
//	password_file    the file that holds the password; a newline at its end does not count; see CurrentPassword
//
// Any other parameter is the driver's, and an error if the driver does not know
// it.
//
// A Config is printed without its secrets, by every verb of package fmt, as
// JSON or XML, and by package slog. That does not hold for a Config in an
// unexported field of another struct: fmt prints those field by field.
type Config struct {
	Scheme    string
	User      string
	Password  string
	Hosts     []string // as written: host or host:port, IPv6 in brackets; may be empty
	Namespace string   // DefaultNamespace when the URL has none
	Path      string   // what the namespace was taken from, with its slashes, for drivers to which it is a path; may be empty
	Params    map[string]string

	SessionTTL     time.Duration // zero: DefaultTTL
	RequestTimeout time.Duration // never zero

	password *rotate.Secret // of password_file; nil if the password came from elsewhere
}

// CurrentPassword returns the password as it is now. A password_file is read
// again at each call; while it is empty or can't be read, the result is the
// password that was read last. A password from elsewhere never changes. Drivers
// call it whenever they say who they are, so that a password can be replaced
// while a process runs. It is safe for concurrent use.
func (c Config) CurrentPassword() string {
	if c.password == nil {
		return c.Password
	}
	return c.password.Get()
}

// DefaultNamespace holds the jobs of a URL without a path.
const DefaultNamespace = "elastic"

// DefaultRequestTimeout bounds one call to the store. A list and the first
// content of a watch may take longer while a driver that needs many requests
// for them has answers. It is below a third of DefaultTTL, so that a lost
// packet costs a renewal and not the session.
const DefaultRequestTimeout = 3 * time.Second

// ParseURL parses a store URL without looking at whether its scheme has a
// driver. Errors don't hold secrets.
func ParseURL(raw string) (Config, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return Config{}, fmt.Errorf("%w: store URL %q: %s", ErrInvalid, Redact(raw), noScheme(raw))
	}
	fault := func(format string, a ...any) (Config, error) {
		return Config{}, fmt.Errorf("%w: store URL %q: %s", ErrInvalid, Redact(raw), fmt.Sprintf(format, a...))
	}
	c := Config{Scheme: scheme, Params: map[string]string{}, RequestTimeout: DefaultRequestTimeout}

	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if strings.Contains(path, "@") || strings.ContainsAny(query, "@?") {
		return fault("user or password is not percent-encoded: write @ as %%40, : as %%3A, / as %%2F, ? as %%3F; and so in the namespace and in parameters")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		var err, err2 error
		c.User, err = url.PathUnescape(user)
		c.Password, err2 = url.PathUnescape(password)
		if err != nil || err2 != nil {
			return fault("user or password is not percent-encoded: write @ as %%40, : as %%3A, / as %%2F, ? as %%3F")
		}
		authority = authority[at+1:]
	}
	for host := range strings.SplitSeq(authority, ",") {
		if host == "" {
			if authority == "" {
				break
			}
			return fault("empty host between commas")
		}
		if strings.Contains(host, ":") {
			if _, port, err := net.SplitHostPort(host); err == nil && isNumber(port) && !isPort(port) {
				return fault("host %q: want a port from 1 to 65535", shownHost(host))
			} else if (err != nil || !isPort(port)) && !(strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")) {
				return fault("host %q: want host, host:port or [ipv6]:port", shownHost(host))
			}
		}
		c.Hosts = append(c.Hosts, host)
	}

	namespace, err := url.PathUnescape(strings.Trim(path, "/"))
	if err != nil {
		return fault("namespace is not percent-encoded")
	}
	if hasPath {
		c.Path, _ = url.PathUnescape("/" + path)
	}
	if c.Namespace = namespace; namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if why := keyFault(c.Namespace); why != "" {
		return fault("namespace %q: %s", c.Namespace, why)
	}

	values, err := url.ParseQuery(query)
	if err != nil {
		return fault("parameters are not percent-encoded")
	}
	for name, v := range values {
		if len(v) > 1 {
			return fault("parameter %q is given %d times", shownName(name, v[0] != ""), len(v))
		}
		c.Params[name] = v[0]
	}
	if err := c.takeCommon(); err != nil {
		return fault("%v", err)
	}
	return c, nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// takeCommon moves the parameters that every store understands from Params into
// their fields.
func (c *Config) takeCommon() error {
	for name, field := range map[string]*time.Duration{"session_ttl": &c.SessionTTL, "request_timeout": &c.RequestTimeout} {
		text, ok := c.Params[name]
		if !ok {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("parameter %s=%q: want a positive duration, such as 10s", name, shownValue(name, text))
		}
		*field = d
		delete(c.Params, name)
	}
	if name, ok := c.Params["password_env"]; ok {
		secret.NoteVariable(name)
		if c.Password = os.Getenv(name); c.Password == "" {
			return fmt.Errorf("parameter password_env: the environment variable %q is not set", shownValue("password_env", name))
		}
		delete(c.Params, "password_env")
	}
	if name, ok := c.Params["password_file"]; ok {
		var err error
		if c.password, err = rotate.SecretFile(name); err != nil {
			return fmt.Errorf("parameter password_file: %w", secret.FileError(err))
		}
		c.Password = c.password.Get()
		delete(c.Params, "password_file")
	}
	if c.Password != "" && c.User == "" {
		return errors.New("the password has no user; write USER:PASSWORD@HOST, or USER@HOST with password_file or password_env; for Consul write token_file=FILE")
	}
	return nil
}
