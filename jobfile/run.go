package jobfile

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// The keys of a "run" section: one of the two.
const (
	scriptKey = "script"
	httpKey   = "http"
)

var scriptFields = []field[script.Script]{
	text("path", "the program: a name in PATH, or a path",
		func(s *script.Script) *string { return &s.Path }),
	texts("args", "its arguments", "[--all]",
		func(s *script.Script) *[]string { return &s.Args }).hidden(),
	text("dir", "its working directory; default that of the process",
		func(s *script.Script) *string { return &s.Dir }),
	{
		name:   "env",
		words:  "variables that it gets beside those of the process",
		kind:   namedKind,
		read:   func(v value, s *script.Script) { s.AddEnv = v.environment() },
		secret: true,
	},
	duration("grace", "from SIGTERM to SIGKILL when the run must end; default 10s",
		func(s *script.Script) *time.Duration { return &s.Grace }),
	number("maxOutput", "bytes of its output that are kept of one run; default 65536",
		func(s *script.Script) *int { return &s.MaxOutput }),
}

var httpFields = []field[httpcall.Request]{
	text("method", "GET, HEAD, POST, PUT, PATCH or DELETE; default GET",
		func(r *httpcall.Request) *string { return &r.Method }).
		with(enum("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")),
	text("url", "the URL, with fields such as {shard} in its path and query",
		func(r *httpcall.Request) *string { return &r.URL }).hidden(),
	{
		name:   "headers",
		words:  "headers by name, with fields",
		kind:   namedKind,
		read:   func(v value, r *httpcall.Request) { r.Headers = v.named("headers", "{Idempotency-Key: \"{key}\"}") },
		secret: true,
	},
	text("body", "the body, with fields, which are escaped as Content-Type asks",
		func(r *httpcall.Request) *string { return &r.Body }).hidden(),
	{
		name:  "success",
		words: "the statuses that are a success; default 200 to 299",
		kind:  numbersKind,
		read:  func(v value, r *httpcall.Request) { r.Success = v.statuses() },
	},
	duration("timeout", "of the whole call; default 30s",
		func(r *httpcall.Request) *time.Duration { return &r.Timeout }),
	duration("connectTimeout", "of looking up the name and connecting; default 5s",
		func(r *httpcall.Request) *time.Duration { return &r.ConnectTimeout }),
	number("maxResponse", "bytes of the answer's body that are read; default 65536",
		func(r *httpcall.Request) *int { return &r.MaxResponse }),
	{
		name:  "allow",
		words: "addresses beside public ones: private, loopback, or prefixes such as 10.1.0.0/16; default none",
		kind:  textsKind,
		read:  func(v value, r *httpcall.Request) { r.Allow = v.prefixes() },
	},
}

// run reads a "run" section; nil if it has faults.
func (v value) run() *Run {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.MappingNode {
		v.secret = true
		v.want(`keys with values, %s; write "script:" or "http:" below it`, v.shown())
		return nil
	}
	var run Run
	before := v.p.faults.Len()
	sections := section[Run]{name: "run", prefix: "run.", fields: []field[Run]{
		{name: scriptKey, read: func(v value, r *Run) { r.Script = v.script() }},
		{name: httpKey, read: func(v value, r *Run) { r.HTTP = v.http() }},
	}}
	readFields(v.p, v.j, sections, n, &run)
	if v.p.faults.Len() > before {
		return nil
	}
	if (run.Script == nil) == (run.HTTP == nil) {
		v.p.faults.AddAt(v.node.Line, `run: must have either "script" or "http"`)
		return nil
	}
	return &run
}

// script reads a script. If there are faults the result has no meaning.
func (v value) script() *script.Script {
	var s script.Script
	if !readRun(v, section[script.Script]{name: "run.script", prefix: "run.script.", fields: scriptFields}, "path", &s) {
		return nil
	}
	v.p.validateRun(v.j, "run.script.", s.Validate())
	return &s
}

// http reads an HTTP call. If there are faults the result has no meaning.
func (v value) http() *httpcall.Request {
	var r httpcall.Request
	if !readRun(v, section[httpcall.Request]{name: "run.http", prefix: "run.http.", fields: httpFields}, "url", &r) {
		return nil
	}
	v.p.validateRun(v.j, "run.http.", r.Validate())
	return &r
}

// readRun reads a section that must have a key. It reports whether there are no
// faults.
func readRun[T any](v value, s section[T], needed string, to *T) bool {
	before := v.p.faults.Len()
	n := v.p.resolve(v.node)
	if n.Kind != yaml.MappingNode {
		v.secret = true
		v.want("keys with values, such as %q, %s", needed+": …", v.shown())
		return false
	}
	readFields(v.p, v.j, s, n, to)
	if v.j.values[s.prefix+needed] == nil {
		v.p.faults.AddAt(v.node.Line, "%s: there is no %q; add it", s.name, needed)
	}
	return v.p.faults.Len() == before
}

// environment returns variables as name=value, sorted by name.
func (v value) environment() []string {
	all := v.named("variables", "{MODE: fast}")
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			v.p.faults.AddAt(v.node.Line, "%s: %q can't be the name of a variable", v.key, clip(name))
		case strings.HasPrefix(name, "ELASTICJOB_"):
			v.p.faults.AddAt(v.node.Line, "%s: %q is set for each run; choose another name", v.key, clip(name))
		}
		env = append(env, name+"="+all[name])
	}
	return env
}

// statuses returns a function for Request.Success.
func (v value) statuses() func(httpcall.Response) error {
	var codes []int
	items := v.list("[200, 404]")
	for _, item := range items {
		before := v.p.faults.Len()
		code := item.number()
		if v.p.faults.Len() == before && (code < 200 || code > 599) {
			item.fault("is no status; write one from 200 to 599")
		}
		codes = append(codes, code)
	}
	if len(items) == 0 {
		v.p.faults.AddAt(v.node.Line, "%s: names no status; write one, or leave the key out", v.key)
	}
	return func(r httpcall.Response) error {
		if slices.Contains(codes, r.Status) {
			return nil
		}
		return fmt.Errorf("the answer is %d %s, which is not one of %v", r.Status, http.StatusText(r.Status), codes)
	}
}

// prefixes returns addresses for Request.Allow.
func (v value) prefixes() []netip.Prefix {
	var all []netip.Prefix
	for _, item := range v.list("[private]") {
		text := item.text()
		prefix, err := netip.ParsePrefix(text)
		switch {
		case text == "private":
			all = append(all, httpcall.Private()...)
		case text == "loopback":
			all = append(all, httpcall.Loopback()...)
		case text == "": // a fault of its own
		case err != nil:
			item.fault("is not a prefix; write one such as 10.1.0.0/16, or private, or loopback")
		case prefix != prefix.Masked() && item.hasVariable():
			item.fault("has bits beyond its length")
		case prefix != prefix.Masked():
			item.fault("has bits beyond its length; write %s", prefix.Masked())
		default:
			all = append(all, prefix)
		}
	}
	return all
}
